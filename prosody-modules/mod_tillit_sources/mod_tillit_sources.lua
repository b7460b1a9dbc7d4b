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
local muc = module:get_option_string("tillit_muc_host", "conference." .. module.host);
local patience = 10;  -- seconds: for Jicofo to answer what takes a source back
local max_asked = 64;  -- requests of one person that Jicofo has not answered

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

-- What Jicofo and this person have between them: { sid =, known = see source_rules, earlier = what it had before }.
-- It begins with Jicofo's offer, and only with that: what a client says ends or empties nothing by itself.
local function begin(grant, sid)
	local earlier = grant.jingle and grant.jingle.known or {};
	grant.jingle = { sid = sid, known = {}, earlier = earlier };
	grant.asked, grant.asked_count = {}, 0;  -- nobody waits for what was asked in the session before
end

-- Note what an answer of Jicofo's decides, under an id that the client cannot know and so not give to another request.
local function expect(grant, id, change)
	local asked = "tillit-" .. new_id();
	change.id, change.jingle = id, grant.jingle;
	grant.asked[asked], grant.asked_count = change, grant.asked_count + 1;
	return asked;
end

local function put_out(grant)
	local room, people = xmpp_session.state.roster(grant.room);
	local entry = people[grant.id];
	if not entry or entry.grant ~= grant or grant.left then return; end
	module:log("warn", "a source could not be taken back: its sender is put out");
	xmpp_session.record("session.ended", grant.room, grant.id, { reason = "source-stays" });
	xmpp_session.state.expel(room, entry, "source-stays");
end

local function send_removal(session, grant, removal, change)
	local id = expect(grant, nil, change);
	local focus_jid = grant.room .. "@" .. muc .. "/focus";
	local iq = st.iq({ type = "set", from = session.full_jid, to = focus_jid, id = id });
	prosody.core_post_stanza(session, iq:add_child(removal));  -- not through our own gates
end

-- Take back what has to go, in the person's name. Where Jicofo refuses that, or says nothing, they are put out.
local function take_back(session, grant)
	local jingle = grant.jingle;
	local going = rules.unwanted(jingle.known);
	if #going > 0 then
		module:add_timer(patience, function()
			if grant.jingle ~= jingle then return; end
			for _, entry in ipairs(going) do
				if jingle.known[entry.ssrc] == entry then return put_out(grant); end
			end
		end);
	end
	for _, request in ipairs(rules.withdraw(jingle.sid, jingle.known)) do
		send_removal(session, grant, request[1], { taken = rules.begin_removal(jingle.known, request[2]), ours = true });
	end
end

-- While Jicofo changed over from one session to the next it may have taken a source in: it is taken back blindly.
local function take_back_earlier(session, grant)
	local jingle, left = grant.jingle, {};
	for ssrc, entry in pairs(jingle.earlier) do
		if not jingle.known[ssrc] then
			left[ssrc] = { ssrc = ssrc, name = entry.name, kind = entry.kind, media = entry.media, unwanted = true };
		end
	end
	jingle.earlier = {};
	for _, request in ipairs(rules.withdraw(jingle.sid, left)) do send_removal(session, grant, request[1], {}); end
end

local function answered(session, grant, change, done)
	if change.jingle ~= grant.jingle then return; end  -- of a session that is over
	local known = grant.jingle.known;
	if change.added then rules.end_offer(known, change.added, done); end
	if change.taken then rules.end_removal(known, change.taken, done); end
	if done and change.terminates then grant.jingle.known = {}; end
	if done and change.accepts then take_back_earlier(session, grant); end
	if not done and change.ours then return put_out(grant); end
	take_back(session, grant);
end

local function check_jingle(event)
	local grant, stanza = subject(event), event.stanza;
	local jingle = grant and stanza.attr.type == "set" and stanza:get_child("jingle", rules.xmlns_jingle);
	if not jingle then return; end
	local action = jingle.attr.action;
	if not grant.jingle or jingle.attr.sid ~= grant.jingle.sid then
		return xmpp_session.refuse(event, "item-not-found", "wrong-session");
	end
	local known, change = grant.jingle.known, nil;
	if offering[action] then
		local cut, added = rules.check_jingle(jingle, grant.nick, may_of(grant), known);
		if #cut > 0 then
			report(grant, cut);
			if offering[action] == "refuse" then
				rules.end_offer(known, added, false);
				return xmpp_session.refuse(event, "forbidden", cut[1], "track.dropped");
			end
		end
		change = { added = added, accepts = action == "session-accept" };
	elseif action == "source-remove" then
		local named, rule = rules.check_removal(jingle);
		if not named then return xmpp_session.refuse(event, "bad-request", rule, "track.dropped"); end
		change = { taken = rules.begin_removal(known, named) };
	elseif action == "session-terminate" then
		change = { terminates = true };
	end
	rules.leave_out_unknown(jingle);
	if not change then return; end
	if grant.asked_count >= max_asked then
		if change.added then rules.end_offer(known, change.added, false); end
		if change.taken then rules.end_removal(known, change.taken, false); end
		return xmpp_session.refuse(event, "resource-constraint", "too-many-requests");
	end
	stanza.attr.id = expect(grant, stanza.attr.id, change);
end

-- What Jicofo says to a person: an offer begins a session, an answer decides what became of a request.
local function hear_focus(event)
	local stanza = event.stanza;
	local session = prosody.full_sessions[stanza.attr.to];
	local grant = session and xmpp_session.grant_of(session);
	if not grant or stanza.attr.from ~= grant.room .. "@" .. muc .. "/focus" then return; end
	local kind = stanza.attr.type;
	if kind == "set" then
		local jingle = stanza:get_child("jingle", rules.xmlns_jingle);
		if jingle and jingle.attr.action == "session-initiate" then begin(grant, jingle.attr.sid); end
		return;
	end
	local change = grant.asked and (kind == "result" or kind == "error") and grant.asked[stanza.attr.id];
	if not change then return; end
	grant.asked[stanza.attr.id], grant.asked_count = nil, grant.asked_count - 1;
	local known_to_client = change.id ~= nil;
	stanza.attr.id = change.id;
	answered(session, grant, change, kind == "result");
	if not known_to_client then return true; end
end

-- Fewer permissions than a moment ago: what is being sent without one is taken back in the person's name, and
-- their last presence is judged again.
function xmpp_session.state.enforce(room, session)
	local grant = session.tillit;
	if grant.jingle then
		rules.mark_unwanted(grant.jingle.known, may_of(grant));
		take_back(session, grant);
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

-- 400: before Prosody hands it to the client (0).
module:hook("iq/full", hear_focus, 400);
