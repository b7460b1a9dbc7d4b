-- The door of the room: a join token opens it once, for one room, on this shard, and the time inside ends.
-- Load on the main MUC component, and on the vhost of the users as well where Jitsi's token module does the login.

local async = require "util.async";
local http = require "net.http";
local destroy_session = require "core.sessionmanager".destroy_session;
local json_encode = require "util.json".encode;
local st = require "util.stanza";
local timer = require "util.timer";
local jid_bare = require "util.jid".bare;
local jid_node = require "util.jid".node;
local jid_resource = require "util.jid".resource;
local now = require "util.time".now;
local spent_ids = module:require "tillit/spent";
local strict_json = module:require "tillit/strict_json";
local tokens = module:require "tillit/tokens";
local xmpp_session = module:require "tillit/xmpp_session";

local required_gates = module:get_option_set("tillit_required_gates", { "permissions", "sources" });
local state = xmpp_session.state;
local keys = xmpp_session.join_keys();

if module:get_host_type() == "local" then
	-- On Jitsi, whose own module has just verified this token in its way: once more in ours, before the login is
	-- through. A session that fails stays without a grant, and every gate refuses it everything.
	module:hook_global("jitsi-authentication-token-verified", function(event)
		local session = event.session;
		if session.host ~= module.host or session.tillit then return; end
		local ok, err = xmpp_session.open_session(session, session.auth_token, session.jitsi_web_query_room, keys);
		if not ok then module:log("info", "login without a grant: %s", err); end
	end);
	return;
end

local ask_url = module:get_option_string("tillit_admission_url");
local ask_target = ask_url and (ask_url:match("^https?://[^/]+(/.*)$") or "/");
local ask_timeout = 3;  -- seconds
local max_token_age = 150;  -- seconds: lifetime and skew; a token older than this is refused for its age
-- room's name -> session -> { session =, grant =, occupant = JID while inside, due = when it is looked at }: everybody
-- who has logged in for a room, inside or not. The grant beside the session: Prosody empties a session that is gone.
local logged_in = {};
local muc;  -- looked for once: Prosody goes through its settings each time it is asked
local spent = spent_ids.open(prosody.paths.data .. "/tillit-spent", math.floor(now()));

function module.unload()
	spent:close();
	state.expel, state.keep, state.logged_in, state.roster, state.why_closed = nil, nil, nil, nil, nil;
end

-- A token issued before this moment does not open this room, for this person or for anybody.
local function turn_away(room, participant)
	local ends = math.floor(now()) + max_token_age;
	return spent:note("out:" .. room .. ":" .. (participant or "*"), ends, math.floor(now()));
end

local function was_turned_away(grant)
	for _, whom in ipairs({ grant.id, "*" }) do
		local ends = spent:ends("out:" .. grant.room .. ":" .. whom, math.floor(now()));
		if ends and grant.issued <= ends - max_token_age then return true; end
	end
	return false;
end

-- Return nil while a token opens its room, else the rule.
local function why_closed(grant)
	if spent:knows("jti:" .. grant.jti, math.floor(now())) then return "token-spent"; end
	return was_turned_away(grant) and "turned-away" or nil;
end

local function is_inside(grant) return grant.nick ~= nil and not grant.left; end

local function room_of(name)
	muc = muc or module:depends("muc");
	return muc.get_room_from_jid(name .. "@" .. module.host);
end

-- Return nil when the token opens this room now, else condition and rule. May wait for keys where it can.
local function why_not(session, grant, room)
	if jid_node(room.jid) ~= grant.room then return "not-allowed", "wrong-room"; end
	if grant.left then return "not-allowed", "token-spent"; end
	if grant.session_until <= now() then return "not-allowed", "session-over"; end
	for gate in required_gates:items() do
		if not session.tillit_gates or not session.tillit_gates[gate] then
			module:log("error", "mod_tillit_%s does not stand on %s: nobody can join from there", gate, session.host);
			return "service-unavailable", "gate-missing";
		end
	end
	if grant.admitted then return nil; end  -- Jitsi's join queue asks a second time
	if tokens.check_times(grant.issued, grant.not_before, grant.expires, now()) then
		return "not-allowed", "token-expired";
	end
	if not keys:current() then return "service-unavailable", "sidecar-unreachable"; end
	local closed = why_closed(grant);
	if closed then return "not-allowed", closed; end
end

-- Record, then spend, then let in: in doubt the token is lost, not used twice.
local function admit(grant)
	if grant.admitted then return true; end
	if not xmpp_session.record("token.spent", grant.room, grant.id, { type = grant.capacity }) then
		return nil, "events-unwritable";
	end
	if not spent:spend("jti:" .. grant.jti, grant.expires + tokens.skew, math.floor(now())) then
		return nil, "spent-unwritable";
	end
	grant.admitted = true;
	return true;
end

-- Send the sidecar a question and wait. Returns status and text, or nil where no answer came in time.
local function post(body)
	local wait, done = async.waiter();
	local over, status, answer = false, nil, nil;
	local function finish(text, code)
		if over then return; end
		over, status, answer = true, code, text;
		done();
	end
	http.request(ask_url, {
		method = "POST", body = body, headers = {
			Authorization = "Bearer " .. state.sign_request({ method = "POST", target = ask_target, body = body }),
			["Content-Type"] = "application/json",
		},
	}, finish);
	timer.add_task(ask_timeout, function() finish(nil, nil); end);
	wait();
	return status, answer;
end

-- A token is up to two minutes old: ask the sidecar whether its bearer is still admitted, and what they may do by now.
local function ask(grant)
	if not ask_url then return true; end
	if not state.sign_request or not async.ready() then return nil, "service-unavailable", "sidecar-unreachable"; end
	local permissions_before, until_before = grant.permissions, grant.session_until;
	local status, text = post(json_encode({ room = grant.room, participant = grant.id, jti = grant.jti }));
	local said = status == 200 and strict_json.decode_object(text or "");
	if not said then
		module:log("warn", "nobody is let in: the sidecar does not say who is admitted (%s)", status or "no answer");
		return nil, "service-unavailable", "sidecar-unreachable";
	end
	if said.admitted ~= true then return nil, "not-allowed", "not-admitted"; end
	local permissions = tokens.read_permissions(said.permissions);
	if not permissions or not tokens.is_moment(said.session_until) then
		return nil, "service-unavailable", "sidecar-unreachable";
	end
	-- What a command said while we waited is newer than the answer.
	if grant.permissions == permissions_before and grant.session_until == until_before then
		if said.session_until <= now() then return nil, "not-allowed", "session-over"; end
		grant.permissions, grant.session_until = permissions, said.session_until;
	end
	return true;
end

local xmlns_muc = "http://jabber.org/protocol/muc";

local function without_wishes(child)
	if child.name == "jitsi_participant_region" then return nil; end
	if child.name == "x" and child.attr.xmlns == xmlns_muc then return st.stanza("x", { xmlns = xmlns_muc }); end
	return child;
end

-- What a client says about its region, or a password it would get by with, is not asked.
local function stamp(stanza, grant)
	for _, child in ipairs(stanza.tags) do  -- mod_tillit_permissions has left it out already, where it stands before us
		if child.name == "jitsi_participant_region" or child.name == "x" and child.attr.xmlns == xmlns_muc and #child > 0 then
			stanza:maptags(without_wishes);
			break;
		end
	end
	stanza:text_tag("jitsi_participant_region", grant.region);
end

-- What is in a join was judged by the token, or by what a command said since: judge it anew where a right is gone.
-- Returns true where it was refused.
local function judge_again(session, stanza, grant)
	for name in pairs(grant.judged_by or {}) do
		if not grant.permissions[name] then
			local event = { origin = session, stanza = stanza };
			return prosody.hosts[session.host].events.fire_event("pre-presence/full", event);
		end
	end
end

-- 50: after Jitsi's token_verification (99), before its join queue (8), Prosody's own checks and the lobby (-4).
module:hook("muc-occupant-pre-join", function(event)
	local session, room = event.origin, event.room;
	local grant = xmpp_session.grant_of(session);
	if not grant then  -- whoever came with a token is gated, whatever the account
		if xmpp_session.is_trusted(event.stanza.attr.from) then return; end
		return xmpp_session.refuse(event, "not-authorized", "no-token");
	end
	local condition, rule = why_not(session, grant, room);
	if condition then return xmpp_session.refuse(event, condition, rule); end
	if not jid_resource(event.occupant.nick):find("^[A-Za-z0-9][A-Za-z0-9_]*$") then
		return xmpp_session.refuse(event, "not-acceptable", "nick-form");
	end
	local taken = room:get_occupant_by_nick(event.occupant.nick);
	if taken and taken.bare_jid == jid_bare(session.full_jid) then  -- Prosody would let it in beside the first
		return xmpp_session.refuse(event, "conflict", "nick-taken");
	end
	if taken then return; end  -- Prosody says so, the token stays good
	if not grant.admitted then
		local admitted, why, which = ask(grant);
		if not admitted then return xmpp_session.refuse(event, why, which); end
		-- While we waited, the connection, the room or the token may have come to an end.
		if session.type ~= "c2s" then return true; end
		condition, rule = why_not(session, grant, room);
		if condition then return xmpp_session.refuse(event, condition, rule); end
		if room_of(grant.room) ~= room then
			return xmpp_session.refuse(event, "not-allowed", "room-not-open");
		end
	end
	local ok, err = admit(grant);
	if not ok then return xmpp_session.refuse(event, "service-unavailable", err); end
	if judge_again(session, event.stanza, grant) then return true; end
	stamp(event.stanza, grant);
end, 50);

-- A client never makes a room: the focus does, once the sidecar has opened the meeting. 60: before defaults (1).
module:hook("muc-room-pre-create", function(event)
	if xmpp_session.is_trusted(event.stanza.attr.from) then return; end
	return xmpp_session.refuse(event, "not-allowed", "room-not-open");
end, 60);

module:hook("muc-occupant-pre-change", function(event)
	local grant = xmpp_session.grant_of(event.origin);
	if not grant and xmpp_session.is_trusted(event.stanza.attr.from) then return; end
	if not grant or grant.left then return xmpp_session.refuse(event, "not-authorized", "no-token"); end
	stamp(event.stanza, grant);
end, 50);

-- -3.7: below Jitsi's token_affiliation (-3.5), above the lobby (-4). The verified token alone makes a moderator.
-- The role only: an affiliation set here would be announced to everybody, with the account's address.
module:hook("muc-occupant-pre-join", function(event)
	local grant = xmpp_session.grant_of(event.origin);
	if not grant then return; end
	event.occupant.role = grant.moderator and "moderator" or "participant";
end, -3.7);

-- Put somebody out of the room, where they are in it, and off the server. room: nil where there is none.
local function expel(room, entry, reason)
	local grant, session = entry.grant, entry.session;
	grant.left = true;
	if room and entry.occupant and room:get_occupant_by_nick(entry.occupant) then
		room:set_role(true, entry.occupant, nil, reason);
	end
	-- Whose connection was given to a resumed stream (XEP-0198) has none of its own: closing it would end the other.
	local was_taken_over = session.type == "c2s" and not session.full_jid;
	if session.close and not was_taken_over then session:close({ condition = "policy-violation", text = reason }); end
	-- A stream asleep has no connection to close: forget it, so that nobody wakes it.
	if session.hibernating and not session.destroyed then destroy_session(session, reason); end
end

local function forget(entry)
	local here = logged_in[entry.grant.room];
	if not here then return; end
	here[entry.session] = nil;
	if next(here) == nil then logged_in[entry.grant.room] = nil; end
end

-- Until when somebody may stay on the server: who has not gone in, as long as the token could still let them in.
local function ends_at(grant)
	return grant.admitted and grant.session_until or math.min(grant.session_until, grant.expires + tokens.skew);
end

-- Look at somebody's end when it is due: it may have moved meanwhile. One timer each, also after this was called anew.
local function watch(entry)
	local grant, due = entry.grant, ends_at(entry.grant);
	if entry.due and entry.due <= due then return; end  -- that timer goes on where it finds time left
	entry.due = due;
	module:add_timer(math.max(0, due - now()), function()
		if entry.due ~= due then return; end  -- a nearer one was set
		if entry.session.destroyed then return forget(entry); end
		local rest = ends_at(grant) - now();
		if rest > 0 then
			due = now() + rest;
			entry.due = due;
			return rest;
		end
		if is_inside(grant) then
			xmpp_session.record("session.ended", grant.room, grant.id, { reason = "session-over" });
		end
		expel(room_of(grant.room), entry, "session-over");
		forget(entry);
	end);
end

-- Called at login: from here on commands and the clock reach this session.
local function keep(session, grant)
	local here = logged_in[grant.room] or {};
	logged_in[grant.room] = here;
	here[session] = { session = session, grant = grant };
	watch(here[session]);
end

module:hook("muc-occupant-joined", function(event)
	local session, room = event.origin, event.room;
	local grant = xmpp_session.grant_of(session);
	if not grant then return; end
	local here = logged_in[grant.room];
	local entry = here[session];
	for _, other in pairs(here) do
		if other ~= entry and other.grant.id == grant.id and is_inside(other.grant) then expel(room, other, "replaced"); end
	end
	grant.nick, entry.occupant = jid_resource(event.nick), event.nick;
	if not xmpp_session.record("media.joined", grant.room, grant.id, {}) then
		expel(room, entry, "events-unwritable");
		return;
	end
	watch(entry);
end);

module:hook("muc-occupant-left", function(event)
	for _, entry in pairs(logged_in[jid_node(event.room.jid)] or {}) do
		local grant = entry.grant;
		if entry.occupant == event.nick then
			grant.left, entry.occupant = true, nil;
			xmpp_session.record("media.left", grant.room, grant.id, { reason = "left" });
			if entry.session.destroyed then forget(entry); end
			return;
		end
	end
end);

-- For mod_tillit_control, mod_tillit_sources and the login.
state.expel = expel;
state.keep = keep;
state.re_watch = watch;
state.turn_away = turn_away;
state.why_closed = why_closed;

-- Return who has logged in for a room, by its name, inside or not: room object or nil, list of entries. participant:
-- theirs only, nil for everybody's.
function state.logged_in(name, participant)
	local found = {};
	for _, entry in pairs(logged_in[name] or {}) do
		if not participant or entry.grant.id == participant then found[#found + 1] = entry; end
	end
	return room_of(name), found;
end

-- Return who is in a room, by its name: room object or nil, { participant id -> entry }.
function state.roster(name)
	local found = {};
	for _, entry in pairs(logged_in[name] or {}) do
		if is_inside(entry.grant) then found[entry.grant.id] = entry; end
	end
	return room_of(name), found;
end
