-- Reads JSON so that no two readers can differ on it: a key given twice, a fraction, a lone surrogate or bytes that
-- are not UTF-8 are refused, at any depth. The same rules as strict_json_object in sidecar/domain/jws.py.

local null = setmetatable({}, { __tostring = function() return "null"; end });
local max_depth = 32;  -- nothing we read nests deeper than six

local escapes = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" };
local literals = { ["true"] = true, ["false"] = false, ["null"] = null };

local function fail() error({ strict_json = true }); end

local function skip(text, at) return text:match("^[ \t\n\r]*()", at); end

local function read_escape(text, at)
	local sign = text:sub(at, at);
	if escapes[sign] then return escapes[sign], at + 1; end
	local hex = text:match("^u(%x%x%x%x)", at) or fail();
	local code = tonumber(hex, 16);
	if code >= 0xdc00 and code <= 0xdfff then fail(); end
	if code < 0xd800 or code > 0xdbff then return utf8.char(code), at + 5; end
	local low = tonumber(text:match("^\\u([dD][c-fC-F]%x%x)", at + 5) or fail(), 16);
	return utf8.char(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)), at + 11;
end

local function read_string(text, at)
	local parts = {};
	while true do
		local plain, after = text:match('^([^%c"\\\127]*)()', at);
		parts[#parts + 1] = plain;
		local sign = text:sub(after, after);
		if sign == '"' then return table.concat(parts), after + 1; end
		if sign == "\\" then
			parts[#parts + 1], at = read_escape(text, after + 1);
		elseif sign == "\127" then  -- a control sign to Lua, a letter to JSON
			parts[#parts + 1], at = sign, after + 1;
		else
			fail();
		end
	end
end

local read_value;

local function read_object(text, at, depth)
	local found, given = {}, {};
	at = skip(text, at);
	if text:sub(at, at) == "}" then return found, at + 1; end
	while true do
		if text:sub(at, at) ~= '"' then fail(); end
		local name;
		name, at = read_string(text, at + 1);
		if given[name] then fail(); end
		given[name] = true;
		at = skip(text, at);
		if text:sub(at, at) ~= ":" then fail(); end
		found[name], at = read_value(text, at + 1, depth);
		at = skip(text, at);
		local sign = text:sub(at, at);
		if sign == "}" then return found, at + 1; end
		if sign ~= "," then fail(); end
		at = skip(text, at + 1);
	end
end

-- Told apart by name: each module of Prosody loads a copy of this file of its own.
local array_mt = { __name = "tillit.array" };

local function read_array(text, at, depth)
	local found = setmetatable({}, array_mt);
	at = skip(text, at);
	if text:sub(at, at) == "]" then return found, at + 1; end
	while true do
		found[#found + 1], at = read_value(text, at, depth);
		at = skip(text, at);
		local sign = text:sub(at, at);
		if sign == "]" then return found, at + 1; end
		if sign ~= "," then fail(); end
		at = at + 1;
	end
end

function read_value(text, at, depth)
	if depth > max_depth then fail(); end
	at = skip(text, at);
	local sign = text:sub(at, at);
	if sign == "{" then return read_object(text, at + 1, depth + 1); end
	if sign == "[" then return read_array(text, at + 1, depth + 1); end
	if sign == '"' then return read_string(text, at + 1); end
	local word = text:match("^%l+", at);
	if word then
		if literals[word] == nil then fail(); end
		return literals[word], at + #word;
	end
	local number, after = text:match("^(%-?%d+)()", at);
	if not number or number:match("^%-?0%d") or text:match("^[.eE]", after) then fail(); end
	local whole = math.tointeger(number);
	if not whole then fail(); end  -- beyond 64 bits: no number of ours
	return whole, after;
end

-- Return the JSON object in these bytes as a table, or nil, "token-malformed".
-- Whole numbers are Lua integers, null is `null`, arrays answer true to is_array.
local function decode_object(text)
	if type(text) ~= "string" or not utf8.len(text) then return nil, "token-malformed"; end
	local ok, found, at = pcall(read_value, text, 1, 0);
	if not ok then
		if type(found) == "table" and found.strict_json then return nil, "token-malformed"; end
		error(found, 0);
	end
	if skip(text, at) <= #text or type(found) ~= "table" or found == null or getmetatable(found) == array_mt then
		return nil, "token-malformed";
	end
	return found;
end

local function is_array(value)
	local mt = type(value) == "table" and getmetatable(value);
	return mt and mt.__name == array_mt.__name or false;
end

local function is_object(value) return type(value) == "table" and getmetatable(value) == nil; end

return { decode_object = decode_object, is_array = is_array, is_object = is_object, null = null };
