-- The sidecar's commands over HTTP, each with a control token for this very request, once. Load on the main MUC
-- component, on an HTTP port that only the sidecar reaches.
-- The same requests as the embedded bridge takes, so that one client of the sidecar speaks to both:
--   PUT    rooms/<room>/participants/<id>/permissions   {"permissions": [..], "session_until": RFC 3339}   204
--   DELETE rooms/<room>/participants/<id>?reason=        expel                                             204
--   DELETE rooms/<room>?reason=                          end                                               204
--   POST   rooms/<room>/announcements                    {"text": ..}                                      204
--   POST   rooms/<room>/participants/<id>/mute           {"kind": "audio", "video" or "share"}             204
--   GET    rooms/<room>                                  {"participants": [..]}                            200
-- and one of its own:
--   GET    health                                        {"join_keys": .., "events": ..}                   200

local json_encode = require "util.json".encode;
local st = require "util.stanza";
local array = require "util.array";
local datetime = require "util.datetime";
local formdecode = require "util.http".formdecode;
local new_id = require "util.id".short;
local now = require "util.time".now;
local control_tokens = module:require "tillit/control_tokens";
local jws = module:require "tillit/jws";
local key_source = module:require "tillit/key_source";
local spent_ids = module:require "tillit/spent";
local strict_json = module:require "tillit/strict_json";
local tokens = module:require "tillit/tokens";

local issuer = module:get_option_string("tillit_control_issuer", "tillit");
local audience = module:get_option_string("tillit_control_audience", "tillit-prosody");
local max_body = 64 * 1024;  -- bytes
local max_announcement = 1024;  -- bytes
local state = module:shared("/*/tillit/state");
local spent = spent_ids.open(prosody.paths.data .. "/tillit-commands", math.floor(now()));
local keys = key_source.get("control", {
	location = assert(module:get_option_string("tillit_control_keys"), "tillit_control_keys names the JWKS of commands");
	refresh = math.max(1, module:get_option_number("tillit_control_keys_refresh", 10));
	-- Longer than at the door: a command takes rights away more often than it gives them, and must not wait for keys.
	patience = math.max(60, module:get_option_number("tillit_control_keys_patience", 3600));
});

function module.unload() spent:close(); end

local function problem(event, status, slug)
	event.response.status_code = status;
	event.response.headers.content_type = "application/problem+json";
	return json_encode({ type = "about:blank", title = slug, status = status, slug = slug });
end

local function ok(event, body)
	event.response.status_code = body and 200 or 204;
	if body then event.response.headers.content_type = "application/json"; end
	return body and json_encode(body) or "";
end

local function check(request)
	local token = (request.headers.authorization or ""):match("^Bearer (%S+)$");
	if not token then return nil, "token-malformed"; end
	local current = keys:current(jws.unverified_kid(token));
	if not current then return nil, "sidecar-unreachable"; end
	local target = request.url.path .. (request.url.query and "?" .. request.url.query or "");
	local asked = { method = request.method, target = target, body = request.body or "" };
	local expected = { keys = current, issuer = issuer, audience = audience };
	local at = math.floor(now());
	local claims, err = control_tokens.verify(token, expected, asked, at);
	if not claims then return nil, err; end
	if not spent:spend(claims.jti, claims.exp + tokens.skew, at) then return nil, "token-spent"; end
	return true;
end

local function reason_of(request)
	local query = formdecode(request.url.query or "");
	local reason = type(query) == "table" and query.reason or "";
	return reason:find("^[a-z][a-z_-]*$") and #reason <= 64 and reason or "expelled";
end

-- participant: nil for everybody. Returns the room, where there is one.
local function put_out(room_name, participant, reason)
	local room, entries = state.logged_in(room_name, participant);
	for _, entry in ipairs(entries) do state.expel(room, entry, reason); end
	return room;
end

local function expel(event, room_name, participant)
	-- First the token that may be on its way, then whoever came with one: inside, or logged in beside that.
	if not state.turn_away(room_name, participant) then return problem(event, 503, "spent-unwritable"); end
	put_out(room_name, participant, reason_of(event.request));
	return ok(event);
end

local function end_room(event, room_name)
	local reason = reason_of(event.request);
	if not state.turn_away(room_name, nil) then return problem(event, 503, "spent-unwritable"); end
	local room = put_out(room_name, nil, reason);
	if room then room:destroy(nil, reason); end
	return ok(event);
end

-- Return RFC 3339 in UTC as seconds, or nil. util.datetime goes by way of local time, an hour off where summer ends.
local function moment(text)
	if type(text) ~= "string" then return nil; end
	local pattern = "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)%.?%d*Z$";
	local year, month, day, hour, minute, second = text:match(pattern);
	if not year then return nil; end
	year, month, day = math.tointeger(year), math.tointeger(month), math.tointeger(day);
	if month < 1 or month > 12 or day < 1 or day > 31 then return nil; end
	-- Days since 1970-01-01, counting years from March so that a leap day comes last.
	if month <= 2 then year, month = year - 1, month + 12; end
	local days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469;
	return days * 86400 + math.tointeger(hour) * 3600 + math.tointeger(minute) * 60 + math.tointeger(second);
end

local function set_permissions(event, room_name, participant)
	local said = strict_json.decode_object(event.request.body or "");
	local permissions = said and tokens.read_permissions(said.permissions);
	local session_until = said and moment(said.session_until);
	if not permissions or not session_until then return problem(event, 400, "invalid-input"); end
	for name in pairs(said) do
		if name ~= "permissions" and name ~= "session_until" then return problem(event, 400, "invalid-input"); end
	end
	local room, entries = state.logged_in(room_name, participant);
	local found = false;
	for _, entry in ipairs(entries) do
		local grant = entry.grant;
		if not grant.left then
			found = true;
			grant.permissions, grant.session_until = permissions, session_until;
			state.re_watch(entry);
			if entry.occupant and state.enforce then state.enforce(room, entry.session); end
		end
	end
	return found and ok(event) or problem(event, 404, "not-found");
end

local mute_namespaces = {
	audio = "http://jitsi.org/jitmeet/audio", video = "http://jitsi.org/jitmeet/video",
	share = "http://jitsi.org/jitmeet/desktop",
};

-- Jicofo mutes for a moderator in the room and for nobody else. It passes the same gate as their own browser's request.
local function moderator_of(people)
	for _, entry in pairs(people) do
		local grant = entry.grant;
		local may = not grant.left and grant.session_until > now() and grant.permissions.mute_others;
		if may and grant.moderator and entry.session.full_jid then return entry; end
	end
end

local function mute(event, room_name, participant)
	local said = strict_json.decode_object(event.request.body or "");
	local namespace = said and mute_namespaces[said.kind];
	if not namespace or next(said, next(said)) ~= nil then return problem(event, 400, "invalid-input"); end
	local room, people = state.roster(room_name);
	local entry = people[participant];
	if not entry then return problem(event, 404, "not-found"); end
	local moderator = moderator_of(people);
	if not moderator then return problem(event, 409, "no-moderator"); end
	local iq = st.iq({
		type = "set", from = moderator.session.full_jid, to = room.jid .. "/focus", id = "tillit-" .. new_id(),
	}):tag("mute", { xmlns = namespace, jid = room.jid .. "/" .. entry.grant.nick }):text("true");
	prosody.core_post_stanza(moderator.session, iq, true);
	-- The JVB cannot mute a share, and the client only may: so its sources are taken back from the conference.
	if said.kind == "share" and state.end_share then state.end_share(room, entry.session); end
	return ok(event);
end

-- What the sidecar's readiness shows: can people get in, and does what happened get out.
local function health(event)
	local join_keys = module:shared("/*/tillit/keys_join");
	return ok(event, {
		join_keys = join_keys.is_fresh ~= nil and join_keys:is_fresh();
		events = state.are_events_taken ~= nil and state.are_events_taken();
	});
end

local function announce(event, room_name)
	local said = strict_json.decode_object(event.request.body or "");
	local text = said and said.text;
	if type(text) ~= "string" or text == "" or #text > max_announcement then
		return problem(event, 400, "invalid-input");
	end
	local room = state.roster(room_name);
	if not room then return problem(event, 404, "not-found"); end
	-- From the room itself: what Jitsi hands to the page as a message of no participant.
	room:broadcast(st.message({ from = room.jid, type = "groupchat" })
		:tag("json-message", { xmlns = "http://jitsi.org/jitmeet" })
			:text(json_encode({ type = "tillit-announcement", text = text })));
	return ok(event);
end

local function roster(event, room_name)
	local _, people = state.roster(room_name);
	local found = array();
	for id, entry in pairs(people) do
		local permissions = array();
		for name in pairs(entry.grant.permissions) do permissions:push(name); end
		local until_text = datetime.datetime(math.floor(entry.grant.session_until));
		found:push({ id = id, permissions = permissions:sort(), session_until = until_text });
	end
	return ok(event, { participants = found:sort(function(a, b) return a.id < b.id; end) });
end

-- Pattern of the path, by method. Room and participant are literals of one form each.
local commands = {
	{ "PUT", "^rooms/([^/]+)/participants/([^/]+)/permissions$", set_permissions },
	{ "DELETE", "^rooms/([^/]+)/participants/([^/]+)$", expel },
	{ "DELETE", "^rooms/([^/]+)$", end_room },
	{ "POST", "^rooms/([^/]+)/announcements$", announce },
	{ "POST", "^rooms/([^/]+)/participants/([^/]+)/mute$", mute },
	{ "GET", "^rooms/([^/]+)$", roster },
	{ "GET", "^health$", health },
};

local function handle(event, path)
	local request = event.request;
	if #(request.body or "") > max_body then return problem(event, 413, "too-large"); end
	local allowed, err = check(request);
	if not allowed then
		module:log("warn", "a command was refused: %s", err);
		return problem(event, err == "sidecar-unreachable" and 503 or 401, err);
	end
	if not state.roster then return problem(event, 503, "admission-missing"); end
	for _, command in ipairs(commands) do
		local room, participant = path:match(command[2]);
		if room and command[1] == request.method then
			if not tokens.is_room(room) or participant and not tokens.is_id(participant) then break; end
			return command[3](event, room, participant);
		end
	end
	return problem(event, 404, "not-found");
end

module:depends("http");
module:provides("http", {
	default_path = "/v1";
	route = { ["GET /*"] = handle; ["PUT /*"] = handle; ["POST /*"] = handle; ["DELETE /*"] = handle };
});
