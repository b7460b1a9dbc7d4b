-- JSON that clients send to Jitsi's components, read strictly and written anew from the members we know: duplicate
-- keys, a sender's name in the payload and addresses of foreign servers cannot pass.
-- Each reader returns the JSON to send on and the permission it needs, or nil and a rule.

local json_encode = require "util.json".encode;
local strict_json = module:require "tillit/strict_json";

local max_text = 8192;  -- bytes
local max_answers = 20;

local function is_text(value, most) return type(value) == "string" and value ~= "" and #value <= (most or 1024); end

local function read(text)
	if type(text) ~= "string" or #text > max_text then return nil; end
	return strict_json.decode_object(text);
end

local function poll_answers(list, check)
	if not strict_json.is_array(list) or #list < 1 or #list > max_answers then return nil; end
	local answers = {};
	for i, each in ipairs(list) do
		answers[i] = check(each);
		if answers[i] == nil then return nil; end
	end
	return answers;
end

local function answer_name(each)
	local name = strict_json.is_object(each) and each.name or each;
	if not is_text(name) then return nil; end
	return strict_json.is_object(each) and { name = name } or name;
end

local function answer_chosen(each)
	if type(each) == "boolean" then return each; end
	return nil;
end

local function poll(text)
	local said = read(text);
	if not said or said.type ~= "polls" or not is_text(said.pollId, 64) then return nil, "unknown-side-message"; end
	local sent = { type = "polls", command = said.command, pollId = said.pollId };
	if said.command == "new-poll" and is_text(said.question) then
		sent.question, sent.answers = said.question, poll_answers(said.answers, answer_name);
	elseif said.command == "answer-poll" then
		sent.answers = poll_answers(said.answers, answer_chosen);
	end
	if not sent.answers then return nil, "unknown-side-message"; end
	return json_encode(sent), "poll";
end

local file_texts = { fileId = 128, fileName = 255, fileType = 128 };
local file_numbers = { fileSize = true, timestamp = true };

local function file(text)
	local said = read(text);
	if not said then return nil, "unknown-side-message"; end
	local sent = {};
	for name, most in pairs(file_texts) do
		if not is_text(said[name], most) then return nil, "unknown-side-message"; end
		sent[name] = said[name];
	end
	for name in pairs(file_numbers) do
		if said[name] ~= nil and math.type(said[name]) ~= "integer" then return nil, "unknown-side-message"; end
		sent[name] = said[name];
	end
	return json_encode(sent), "send_file";
end

local function on_off(data, names)
	if not strict_json.is_object(data) then return nil; end
	local sent = {};
	for _, name in ipairs(names) do
		if data[name] ~= nil and type(data[name]) ~= "boolean" then return nil; end
		sent[name] = data[name];
	end
	return next(sent) and sent or nil;
end

local function whiteboard(data)
	if not strict_json.is_object(data) then return nil; end
	local details = data.collabDetails;
	if not strict_json.is_object(details) or not is_text(details.roomId, 64) or not is_text(details.roomKey, 128)
	or details.roomId:find("[^%w_-]") or details.roomKey:find("[^%w_-]") then
		return nil;
	end
	return { collabDetails = { roomId = details.roomId, roomKey = details.roomKey } };
end

-- key -> what is kept of its data, and the permission. Any other key is the server's.
local metadata_keys = {
	recording = { function(data) return on_off(data, { "isTranscribingEnabled" }); end, "transcribe" },
	startMuted = { function(data) return on_off(data, { "audio", "video" }); end, "mute_others" },
	whiteboard = { whiteboard, "whiteboard" },
};

local function metadata(text)
	local said = read(text);
	local rule = said and metadata_keys[said.key];
	if not rule then return nil, "unknown-metadata"; end
	local data = rule[1](said.data);
	if not data then return nil, "unknown-metadata"; end
	return json_encode({ key = said.key, data = data }), rule[2];
end

return { file = file; metadata = metadata; poll = poll };
