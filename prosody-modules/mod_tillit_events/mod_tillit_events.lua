-- What happened in the rooms, told to the sidecar: signed, in order, at least once. Each event is on disk before the
-- act it tells of happens; where it cannot be written, the act is refused. Load on the main MUC component.

local datetime = require "util.datetime";
local http = require "net.http";
local json_encode = require "util.json".encode;
local now = require "util.time".now;
local timer = require "util.timer";
local control_tokens = module:require "tillit/control_tokens";
local jws = module:require "tillit/jws";
local strict_json = module:require "tillit/strict_json";
local queue = module:require "tillit/queue";

local url = assert(module:get_option_string("tillit_events_url"), "tillit_events_url names the sidecar's address");
local key_file = assert(module:get_option_string("tillit_events_key"), "tillit_events_key names a PEM file, P-256");
local issuer = module:get_option_string("tillit_events_issuer", "tillit-prosody");
local audience = module:get_option_string("tillit_events_audience", "tillit-web");

local batch = 250;
local soon = 0.02;  -- seconds: a moment for others of the same burst
-- While much happens fewer, larger requests are sent: each costs as much as several joins.
local pause = 0.25;  -- seconds
local much = 20;  -- events in the last request
local answer_timeout = 5;  -- seconds
local retry_after = { 0.2, 0.5, 1, 2, 5 };  -- seconds
-- A hostile client must not fill the disk: of what it was refused, one event for each rule in this time.
local dropped_kinds = { ["message.dropped"] = true, ["track.dropped"] = true };
local drop_window = 60;  -- seconds
local max_remembered_drops = 10000;

local function read_key()
	local file = assert(io.open(key_file, "r"));
	local pem = file:read("a");
	file:close();
	return jws.read_signing_key(pem);
end

local signing_key = read_key();
local target = url:match("^https?://[^/]+(/.*)$") or "/";
local waiting = queue.open(prosody.paths.data .. "/tillit-events");
local state = module:shared("/*/tillit/state");
local failures, in_flight, armed, unloaded = 0, false, false, false;
local last = { at = 0, count = 0 };  -- the last request
local told, told_count = {}, 0;  -- "participant rule" -> when

local deliver;

local function deliver_after(seconds)
	if armed or in_flight or unloaded then return; end
	armed = true;
	timer.add_task(seconds, function()
		armed = false;
		deliver();
	end);
end

local function answered(code, mark, full)
	in_flight = false;
	if code and code >= 200 and code < 300 then
		if failures > 0 then module:log("info", "the sidecar takes events again"); end
		failures = 0;
		if not waiting:done(mark) then module:log("error", "how far the events were delivered cannot be written"); end
		if waiting:waiting() > 0 then deliver_after(full and 0 or last.count >= much and pause or soon); end
		return;
	end
	if failures == 0 then module:log("warn", "the sidecar does not take events: %s", code or "no answer"); end
	failures = failures + 1;
	deliver_after(retry_after[math.min(failures, #retry_after)]);
end

-- A line that a kill cut short was never acted on, and would spoil its batch.
local function readable(lines)
	local found = {};
	for _, line in ipairs(lines) do
		if strict_json.decode_object(line) then found[#found + 1] = line; end
	end
	return found;
end

function deliver()
	if in_flight or unloaded then return; end
	local lines, mark, doubtful = waiting:peek(batch);
	if doubtful then lines = readable(lines); end
	if #lines == 0 then
		if waiting:waiting() > 0 then waiting:done(mark); end
		return;
	end
	in_flight, last.at, last.count = true, now(), #lines;
	local full = #lines >= batch;
	local body = '{"events":[' .. table.concat(lines, ",") .. "]}";
	local request = { method = "POST", target = target, body = body };
	local token = state.sign_request(request);
	local over = false;
	local function finish(code)
		if over or unloaded then return; end
		over = true;
		answered(code, mark, full);
	end
	http.request(url, {
		method = "POST", body = body,
		headers = { Authorization = "Bearer " .. token, ["Content-Type"] = "application/json" },
	}, function(_, code) finish(code); end);
	timer.add_task(answer_timeout, function() finish(nil); end);
end

local function was_told_lately(kind, participant, data)
	if not dropped_kinds[kind] then return false; end
	local key = participant .. " " .. kind .. " " .. tostring(data.rule);
	local at = told[key];
	if at and now() - at < drop_window then return true; end
	if told_count >= max_remembered_drops then told, told_count = {}, 0; end
	told[key], told_count = now(), told_count + 1;
	return false;
end

local this_second, second_text = nil, nil;

-- RFC 3339, UTC, milliseconds.
local function to_text(time)
	local second = math.floor(time);
	if second ~= this_second then
		this_second, second_text = second, datetime.datetime(second):gsub("Z$", "");
	end
	return ("%s.%03dZ"):format(second_text, math.floor((time - second) * 1000));
end

local this_start, serial = control_tokens.new_id(), 0;
local event_form = '{"id":"ev_%s_%x","kind":"%s","room":"%s","participant":"%s","at":"%s","data":%s}';

-- Most events tell one plain word, which is JSON as it stands.
local function data_to_json(data)
	local name, value = next(data);
	if name == nil then return "{}"; end
	if next(data, name) == nil and type(value) == "string" and not value:find("[^%w._-]") then
		return ('{"%s":"%s"}'):format(name, value);
	end
	return json_encode(data);
end

-- The names in it were verified with the token and have no sign that JSON would want escaped; data may hold any.
local function to_line(kind, room, participant, data)
	assert(not (kind .. room .. participant):find("[^%w._-]"), "names of our own");
	serial = serial + 1;
	return event_form:format(this_start, serial, kind, room, participant, to_text(now()), data_to_json(data));
end

function state.put_event(kind, room, participant, data)
	if was_told_lately(kind, participant, data) then return true; end
	local queued = waiting:put(to_line(kind, room, participant, data));
	if not queued then
		module:log("error", "an event cannot be written: what it tells of does not happen");
		return nil;
	end
	deliver_after(last.count >= much and now() - last.at < pause and pause or soon);
	return true;
end

-- Say whether the sidecar took what we last sent it.
function state.are_events_taken() return failures == 0; end

-- Return the control token for a request of ours to the sidecar. request: { method =, target =, body = }.
function state.sign_request(request)
	return control_tokens.mint(signing_key, issuer, audience, request, math.floor(now()));
end

function module.unload()
	unloaded = true;
	state.put_event, state.are_events_taken, state.sign_request = nil, nil, nil;
	waiting:close();
end

deliver_after(0);
