-- Lets through the sounds and pictures a person may send: in presence, where a share is announced, and in Jingle,
-- where its sources are offered. Load on each vhost where users log in, beside mod_tillit_permissions.

local jid_resource = require "util.jid".resource;
local new_id = require "util.id".short;
local st = require "util.stanza";
local now = require "util.time".now;
local rules = module:require "tillit/source_rules";
local xmpp_session = module:require "tillit/xmpp_session";

local offering = { ["source-add"] = "refuse", ["session-accept"] = "cut", ["transport-accept"] = "cut" };
local nothing = {};

local function report(grant, cut)
	for _, rule in ipairs(cut) do
		module:log("info", "source left out: rule=%s", rule);
		xmpp_session.record("track.dropped", grant.room, grant.id, { kind = "source", rule = rule });
	end
end

local function may_of(grant)
	return not grant.left and grant.session_until > now() and grant.permissions or nothing;
end

-- Return the grant of whoever needs one, or nothing for our own.
local function subject(event)
	local session = event.origin;
	return session.type == "c2s" and xmpp_session.grant_of(session) or nil;
end

local function check_presence(event)
	local grant, stanza = subject(event), event.stanza;
	if not grant then return; end
	event.origin.tillit_gates = event.origin.tillit_gates or {};
	event.origin.tillit_gates.sources = true;
	local source_info = stanza:get_child("SourceInfo");
	if not source_info then return; end
	local endpoint = jid_resource(stanza.attr.to) or grant.nick;
	local text, cut = rules.check_source_info(source_info:get_text() or "", endpoint, may_of(grant));
	report(grant, cut);
	if not text then
		stanza:maptags(function(child) return child ~= source_info and child or nil; end);
		return;
	end
	for i = #source_info, 1, -1 do source_info[i] = nil; end
	source_info[1] = text;
end

local function check_jingle(event)
	local grant, stanza = subject(event), event.stanza;
	local jingle = grant and stanza.attr.type == "set" and stanza:get_child("jingle", rules.xmlns_jingle);
	if not jingle then return; end
	local action = jingle.attr.action;
	grant.sources = grant.sources or {};
	grant.jingle_sid = jingle.attr.sid or grant.jingle_sid;
	if action == "source-remove" then rules.forget_removed(jingle, grant.sources); end
	if offering[action] == "cut" or action == "session-terminate" then grant.sources = {}; end  -- an accept names all
	if not offering[action] then return; end
	local before = {};
	for name, sent in pairs(grant.sources) do before[name] = sent; end
	local cut = rules.check_jingle(jingle, grant.nick, may_of(grant), grant.sources);
	if #cut == 0 then return; end
	report(grant, cut);
	if offering[action] == "refuse" then
		grant.sources = before;
		return xmpp_session.refuse(event, "forbidden", cut[1], "track.dropped");
	end
end

-- Fewer permissions than a moment ago: what is being sent without one is taken back in the person's name, and
-- their last presence is judged again.
function xmpp_session.state.enforce(room, session)
	local grant = session.tillit;
	local removal = rules.withdraw(grant.jingle_sid, may_of(grant), grant.sources or nothing);
	if removal then
		local iq = st.iq({ type = "set", from = session.full_jid, to = room.jid .. "/focus", id = "tillit-" .. new_id() });
		prosody.core_post_stanza(session, iq:add_child(removal), true);
	end
	local occupant = room:get_occupant_by_nick(room.jid .. "/" .. grant.nick);
	local presence = occupant and occupant:get_presence(session.full_jid);
	if presence then
		presence = st.clone(presence);
		presence.attr.from, presence.attr.to = session.full_jid, room.jid .. "/" .. grant.nick;
		prosody.core_post_stanza(session, presence, true);
	end
end

-- End somebody's share without taking the right away: they may begin another.
function xmpp_session.state.end_share(room, session)
	local grant = session.tillit;
	if not grant then return; end
	local kept, without = grant.permissions, {};
	for name in pairs(kept) do
		if name ~= "share_window" and name ~= "share_screen" then without[name] = true; end
	end
	grant.permissions = without;
	local done, err = pcall(xmpp_session.state.enforce, room, session);
	grant.permissions = kept;
	if not done then error(err); end
end

-- 400: after mod_tillit_permissions (500) has refused what may not be sent at all.
for _, target in ipairs({ "bare", "full", "host" }) do
	module:hook("pre-presence/" .. target, check_presence, 400);
	module:hook("pre-iq/" .. target, check_jingle, 400);
end
