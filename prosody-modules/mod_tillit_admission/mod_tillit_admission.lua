-- The door of the room: a join token opens it once, for one room, on this shard, and the time inside ends.
-- Load on the main MUC component, and on the vhost of the users as well where Jitsi's token module does the login.

local async = require "util.async";
local http = require "net.http";
local destroy_session = require "core.sessionmanager".destroy_session;
local json_encode = require "util.json".encode;
local st = require "util.stanza";
local timer = require "util.timer";
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
-- room JID -> nick -> { session =, grant = }. The grant beside the session: Prosody empties a session that is gone.
local present = {};
local muc;  -- looked for once: Prosody goes through its settings each time it is asked
local spent = spent_ids.open(prosody.paths.data .. "/tillit-spent", math.floor(now()));

function module.unload()
	spent:close();
	state.expel, state.is_spent, state.roster = nil, nil, nil;
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

local function is_spent(grant) return spent:knows("jti:" .. grant.jti, math.floor(now())); end

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
	if is_spent(grant) then return "not-allowed", "token-spent"; end
	if was_turned_away(grant) then return "not-allowed", "turned-away"; end
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
	if said.session_until <= now() then return nil, "not-allowed", "session-over"; end
	grant.permissions, grant.session_until = permissions, said.session_until;
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
	if room:get_occupant_by_nick(event.occupant.nick) then return; end  -- taken: Prosody says so, the token stays good
	if not grant.admitted then
		local admitted, why, which = ask(grant);
		if not admitted then return xmpp_session.refuse(event, why, which); end
		-- While we waited, the connection, the room or the token may have come to an end.
		if session.type ~= "c2s" then return true; end
		condition, rule = why_not(session, grant, room);
		if condition then return xmpp_session.refuse(event, condition, rule); end
		muc = muc or module:depends("muc");
		if muc.get_room_from_jid(room.jid) ~= room then
			return xmpp_session.refuse(event, "not-allowed", "room-not-open");
		end
	end
	local ok, err = admit(grant);
	if not ok then return xmpp_session.refuse(event, "service-unavailable", err); end
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

-- Put an occupant out of the room and off the server. entry: as in `present`.
local function expel(room, entry, reason)
	local grant, session = entry.grant, entry.session;
	grant.left = true;
	local occupant_jid = room.jid .. "/" .. grant.nick;
	if room:get_occupant_by_nick(occupant_jid) then room:set_role(true, occupant_jid, nil, reason); end
	if session.close then session:close({ condition = "policy-violation", text = reason }); end
	-- A stream asleep (XEP-0198) has no connection to close: forget it, so that nobody wakes it.
	if session.hibernating and not session.destroyed then destroy_session(session, reason); end
end

-- Each session's end is looked at when it is due: session_until may have moved meanwhile.
local function watch(room, entry)
	local grant = entry.grant;
	module:add_timer(math.max(0, grant.session_until - now()), function()
		if grant.left then return; end
		local rest = grant.session_until - now();
		if rest > 0 then return rest; end
		xmpp_session.record("session.ended", grant.room, grant.id, { reason = "session-over" });
		expel(room, entry, "session-over");
	end);
end

module:hook("muc-occupant-joined", function(event)
	local session, room = event.origin, event.room;
	local grant = xmpp_session.grant_of(session);
	if not grant then return; end
	grant.nick = jid_resource(event.nick);
	local here = present[room.jid] or {};
	present[room.jid] = here;
	for _, other in pairs(here) do
		if other.grant.id == grant.id then expel(room, other, "replaced"); end
	end
	local entry = { session = session, grant = grant };
	present[room.jid], here[event.nick] = here, entry;
	if not xmpp_session.record("media.joined", grant.room, grant.id, {}) then
		expel(room, entry, "events-unwritable");
		return;
	end
	watch(room, entry);
end);

module:hook("muc-occupant-left", function(event)
	local here = present[event.room.jid];
	local entry = here and here[event.nick];
	if not entry then return; end
	here[event.nick] = nil;
	if next(here) == nil then present[event.room.jid] = nil; end
	entry.grant.left = true;
	xmpp_session.record("media.left", entry.grant.room, entry.grant.id, { reason = "left" });
end);

-- For mod_tillit_control and the login.
state.is_spent = is_spent;
state.turn_away = turn_away;
state.expel = expel;
state.re_watch = watch;

-- Return who is in a room, by its name: room object or nil, { participant id -> entry of `present` }.
function state.roster(name)
	local room = module:depends("muc").get_room_from_jid(name .. "@" .. module.host);
	local found = {};
	for _, entry in pairs(room and present[room.jid] or {}) do found[entry.grant.id] = entry; end
	return room, found;
end
