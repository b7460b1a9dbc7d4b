-- Every stanza a client sends passes here before it is routed, and needs a permission of the sender's join token.
-- Load on each vhost where users log in. Which act needs what: tillit/acts.lib.lua.

local now = require "util.time".now;
local acts = module:require "tillit/acts";
local presence_rules = module:require "tillit/presence_rules";
local xmpp_session = module:require "tillit/xmpp_session";

local muc = module:get_option_string("tillit_muc_host", "conference." .. module.host);
local lobby = module:get_option_string("tillit_lobby_host", "lobby." .. module.host);
local focus = module:get_option_string("tillit_focus_host", "focus." .. module.host);
local breakout = module:get_option_string("tillit_breakout_host", "breakout." .. module.host);

-- The components whose messages we can read, by the name of our rule for them.
local services = {};
local components = { "avmoderation", "breakout", "endconference", "filesharing", "metadata", "polls", "speakerstats" };
for _, name in ipairs(components) do
	services[module:get_option_string("tillit_" .. name .. "_host", name .. "." .. module.host)] = name;
end

local known_attributes = { to = true, from = true, type = true, id = true, ["xml:lang"] = true };
local nothing = {};

-- Return the participant who bears a nick in a room, or nil.
local function who_is(room, nick)
	local _, people = xmpp_session.state.roster(room);
	for id, entry in pairs(people) do
		if entry.grant.nick == nick then return id; end
	end
end

-- Return the participant whose connection this is, where it is for this room, or nil.
local function whose(room, jid)
	local grant = xmpp_session.grant_of(prosody.full_sessions[jid]);
	return grant and grant.room == room and grant.id or nil;
end

local function here_of(session, grant)
	local here = grant.here;
	if not here or here.self ~= session.full_jid then
		here = {
			host = module.host, muc = muc, lobby = lobby, focus = focus, breakout = breakout, services = services,
			room = grant.room, self = session.full_jid,
			who_is = function(nick) return who_is(grant.room, nick); end,
			whose = function(jid) return whose(grant.room, jid); end,
		};
		grant.here = here;
	end
	here.nick = grant.nick;
	return here;
end

-- What it takes to come in, and no more: on the way in, and after leaving, a grant gives no right.
local way_in = {
	["urn:xmpp:ping"] = true, ["http://jabber.org/protocol/disco#info"] = true,
	["http://jabber.org/protocol/disco#items"] = true, ["urn:xmpp:extdisco:1"] = true, ["urn:xmpp:extdisco:2"] = true,
	["jabber:iq:roster"] = true, ["urn:ietf:params:xml:ns:xmpp-session"] = true,
	["http://jitsi.org/protocol/focus"] = true,
};

local function is_on_the_way_in(stanza)
	if stanza.name ~= "iq" then return stanza.name == "presence"; end
	if stanza.attr.type == "result" or stanza.attr.type == "error" then return true; end
	local payload = stanza.tags[1];
	return payload ~= nil and way_in[payload.attr.xmlns] == true;
end

-- Return nil where a stanza can be judged, else the rule that forbids it whatever it says.
local function why_not_now(stanza, grant, is_inside)
	-- When a connection is lost, Prosody says goodbye in the person's name: that always has to reach the room.
	if stanza.name == "presence" and stanza.attr.type == "unavailable" then return nil; end
	if grant.session_until <= now() then return "session-over"; end
	if not is_inside and not is_on_the_way_in(stanza) then return "not-inside"; end
end

local function guard(event)
	local session, stanza = event.origin, event.stanza;
	if session.type ~= "c2s" then return; end  -- our own components and modules speak through here too
	local grant = xmpp_session.grant_of(session);
	if not grant then  -- whoever came with a token is gated, whatever the account
		if xmpp_session.is_trusted(session.full_jid) then return; end
		return xmpp_session.refuse(event, "not-authorized", "no-token");
	end
	for name in pairs(stanza.attr) do
		if not known_attributes[name] then stanza.attr[name] = nil; end
	end
	if stanza.name == "presence" and stanza.attr.to == nil and stanza.attr.type == nil then
		return true;  -- nobody has a roster here: nobody is told
	end
	if not xmpp_session.state.expel then  -- the other half of why_not in mod_tillit_admission: each asks for the other
		module:log("error", "mod_tillit_admission does not stand: nobody can join");
		return xmpp_session.refuse(event, "service-unavailable", "gate-missing");
	end
	local is_inside = grant.nick ~= nil and not grant.left;
	local closed = why_not_now(stanza, grant, is_inside);
	if closed then return xmpp_session.refuse(event, "not-allowed", closed); end
	local verdict = acts.judge(stanza, is_inside and grant.permissions or nothing, here_of(session, grant));
	if not verdict.allow then return xmpp_session.refuse(event, verdict.condition, verdict.rule); end
	if verdict.record and not xmpp_session.record(verdict.record, grant.room, grant.id, verdict.data) then
		return xmpp_session.refuse(event, "service-unavailable", "events-unwritable");
	end
	if stanza.name == "presence" then
		-- A join is judged by what the token grants, and once more at the door if that says less.
		grant.judged_by = not grant.left and grant.permissions or nothing;
		local left_out = presence_rules.rewrite(stanza, grant, grant.judged_by);
		if stanza.attr.type == "unavailable" then left_out = nothing; end  -- Prosody's own has a status in it
		for _, dropped in ipairs(left_out) do
			module:log("info", "left out of a presence: rule=%s", dropped[2]);
			xmpp_session.record("message.dropped", grant.room, grant.id, { type = "presence", rule = dropped[2] });
		end
	end
	session.tillit_gates = session.tillit_gates or {};
	session.tillit_gates.permissions = true;
end

-- 500: before anything else that sees a client's stanza, Jitsi's filters at 0 to 100 among them.
for _, name in ipairs({ "iq", "message", "presence" }) do
	for _, target in ipairs({ "bare", "full", "host" }) do
		module:hook("pre-" .. name .. "/" .. target, guard, 500);
	end
end
