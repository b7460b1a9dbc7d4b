-- Run with: busted --lua=lua5.4 --pattern=_spec tests/prosody/spec

dofile(debug.getinfo(1, "S").source:match("^@(.*)acts_spec.lua$") .. "prosody_path.lua");
local st = require "util.stanza";
local acts = module:require "tillit/acts";

local here = {
	host = "meet.test", muc = "muc.test", lobby = "lobby.test", focus = "focus.test", breakout = "breakout.test",
	services = { ["polls.test"] = "polls" }, room = "r1", self = "me@meet.test/x", nick = "me",
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
end);
