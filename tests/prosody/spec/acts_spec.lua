-- Run with: busted --lua=lua5.4 --pattern=_spec tests/prosody/spec

dofile(debug.getinfo(1, "S").source:match("^@(.*)acts_spec.lua$") .. "prosody_path.lua");
local st = require "util.stanza";
local acts = module:require "tillit/acts";

local here = {
	host = "meet.test", muc = "muc.test", lobby = "lobby.test", focus = "focus.test", breakout = "breakout.test",
	services = { ["polls.test"] = "polls", ["avmoderation.test"] = "avmoderation" },
	room = "r1", self = "me@meet.test/x", nick = "me",
	who_is = function(nick) return nick == "peer" and "p_peer" or nil; end,
	whose = function(jid) return jid == "k@meet.test/y" and "p_knocks" or nil; end,
};

local everything = setmetatable({}, { __index = function() return true; end });

describe("target_of", function()
	for to, target in pairs({
		["meet.test"] = "server", ["muc.test"] = "muc", ["focus.test"] = "focus_service",
		["polls.test"] = "service_polls", ["r1@muc.test"] = "room", ["r1@muc.test/focus"] = "focus",
		["r1@muc.test/peer"] = "occupant", ["r2@muc.test"] = "foreign_room", ["r2@muc.test/focus"] = "foreign_room",
		["r1@lobby.test/focus"] = "lobby_occupant", ["r1@lobby.test"] = "lobby_room", ["me@meet.test"] = "self",
		["other@meet.test/x"] = "elsewhere", ["example.org"] = "elsewhere", ["muc.test/x"] = "elsewhere",
		["polls.test/x"] = "elsewhere",
	}) do
		it("reads " .. to, function() assert.equal(target, acts.target_of(to, here)); end);
	end
end);

describe("judge", function()
	it("refuses whatever no line names, whoever asks", function()
		for _, to in ipairs({ "meet.test", "r1@muc.test", "r1@muc.test/focus", "r1@muc.test/peer", "x@y.z" }) do
			for _, kind in ipairs({ "get", "set" }) do
				local iq = st.iq({ to = to, type = kind, id = "1" }):tag("query", { xmlns = "urn:unknown" }):up();
				assert.is_nil(acts.judge(iq, everything, here).allow);
			end
		end
	end);

	it("sends on only the words and what belongs to them", function()
		local message = st.message({ to = "r1@muc.test", type = "groupchat" })
			:text_tag("body", "hej"):text("beside")
			:tag("nick", { xmlns = "http://jabber.org/protocol/nick" }):text("Elin"):up();
		local verdict = acts.judge(message, { chat = true }, here);
		assert.is_true(verdict.allow);
		assert.equal(1, #message);
		assert.equal("hej", message:get_child_text("body"));
	end);

	it("lets nobody mute in another room or unmute", function()
		local cases = { { "r2@muc.test/peer", "true" }, { "r1@muc.test/peer", "false" }, { "r1@muc.test", "true" } };
		for _, case in ipairs(cases) do
			local iq = st.iq({ to = "r1@muc.test/focus", type = "set", id = "1" })
				:tag("mute", { xmlns = "http://jitsi.org/jitmeet/audio", jid = case[1] }):text(case[2]):up();
			assert.equal("unknown-request", acts.judge(iq, everything, here).rule);
		end
	end);

	local function iq_to_focus() return st.iq({ to = "r1@muc.test/focus", type = "set", id = "1" }); end

	it("says to whom an act of weight was done", function()
		local mute = iq_to_focus():tag("mute", { xmlns = "http://jitsi.org/jitmeet/audio", jid = "r1@muc.test/peer" })
			:text("true"):up();
		assert.equal("p_peer", acts.judge(mute, everything, here).data.target);
		local moderation = st.message({ to = "avmoderation.test" })
			:tag("av_moderation", { mediaType = "audio", jidToBlacklist = "r1@muc.test/peer" }):up();
		assert.equal("p_peer", acts.judge(moderation, everything, here).data.target);
		local invite = st.message({ to = "r1@muc.test" })
			:tag("x", { xmlns = "http://jabber.org/protocol/muc#user" }):tag("invite", { to = "k@meet.test/y" }):up():up();
		assert.equal("p_knocks", acts.judge(invite, everything, here).data.target);
	end);

	it("sends an invitation on without a word", function()
		local invite = st.message({ to = "r1@muc.test" }):text("words")
			:tag("x", { xmlns = "http://jabber.org/protocol/muc#user" })
				:tag("invite", { to = "k@meet.test/y", from = "words" }):text_tag("reason", "words"):up():up();
		assert.is_true(acts.judge(invite, everything, here).allow);
		assert.is_nil(tostring(invite):find("words"));
	end);

	it("sends requests on with what was read of them and nothing else", function()
		local rayo = "urn:xmpp:rayo:1";
		local requests = {
			iq_to_focus():tag("mute", { xmlns = "http://jitsi.org/jitmeet/audio", jid = "r1@muc.test/peer", x = "words" })
				:text("true"):up(),
			iq_to_focus():tag("jibri", {
				xmlns = "http://jitsi.org/protocol/jibri", action = "start", recording_mode = "file", app_data = "words",
			}):text_tag("x", "words"):up(),
			iq_to_focus():tag("dial", { xmlns = rayo, to = "jitsi_meet_transcribe", x = "words" })
				:tag("header", { xmlns = rayo, name = "JvbRoomName", value = "r1@muc.test", x = "words" })
					:text_tag("x", "words"):up():text("words"):up(),
			st.iq({ to = "r1@lobby.test", type = "set", id = "1" }):tag("query", {
				xmlns = "http://jabber.org/protocol/muc#admin",
			}):tag("item", { nick = "x", role = "none", jid = "words" }):text_tag("reason", "words"):up():up(),
			st.iq({ to = "r1@muc.test/focus", type = "error", id = "1" }):text_tag("x", "words"),
		};
		for _, request in ipairs(requests) do
			assert.is_true(acts.judge(request, everything, here).allow, tostring(request));
			assert.is_nil(tostring(request):find("words"), tostring(request));
		end
	end);
end);
