-- Reads JSON so that no two readers can differ on it: a key given twice, a fraction, a lone surrogate or bytes that
-- are not UTF-8 are refused, at any depth. The same rules as strict_json_object in sidecar/domain/jws.py.

local null = setmetatable({}, { __tostring = function() return "null"; end });
local max_depth = 32;  -- nothing we read nests deeper than six

local escapes = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" };
local literals = { ["true"] = true, ["false"] = false, ["null"] = null };

local function fail() error({ strict_json = true }); end

local byte, match, sub = string.byte, string.match, string.sub;
local quote, backslash, comma, colon = 0x22, 0x5c, 0x2c, 0x3a;
local open_object, close_object, open_array, close_array = 0x7b, 0x7d, 0x5b, 0x5d;

-- Tokens are read at every login: most of the time there is no white space to pass, and one look says so.
local function skip(text, at)
	local sign = byte(text, at);
	if sign and sign > 0x20 then return at; end
	return match(text, "^[ \t\n\r]*()", at);
end

local function read_escape(text, at)
	local sign = sub(text, at, at);
	if escapes[sign] then return escapes[sign], at + 1; end
	local hex = text:match("^u(%x%x%x%x)", at) or fail();
	local code = tonumber(hex, 16);
	if code >= 0xdc00 and code <= 0xdfff then fail(); end
	if code < 0xd800 or code > 0xdbff then return utf8.char(code), at + 5; end
	local low = tonumber(text:match("^\\u([dD][c-fC-F]%x%x)", at + 5) or fail(), 16);
	return utf8.char(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)), at + 11;
end

local function read_string(text, at)
	local whole, behind = match(text, '^([^%c"\\\127]*)"()', at);
	if whole then return whole, behind; end
	local parts = {};
	while true do
		local plain, after = match(text, '^([^%c"\\\127]*)()', at);
		parts[#parts + 1] = plain;
		local sign = byte(text, after);
		if sign == quote then return table.concat(parts), after + 1; end
		if sign == backslash then
			parts[#parts + 1], at = read_escape(text, after + 1);
		elseif sign == 0x7f then  -- a control sign to Lua, a letter to JSON
			parts[#parts + 1], at = "\127", after + 1;
		else
			fail();
		end
	end
end

local read_value;

local function read_object(text, at, depth)
	local found = {};
	at = skip(text, at);
	if byte(text, at) == close_object then return found, at + 1; end
	while true do
		local name, after = match(text, '^"([^%c"\\\127]*)":()', at);  -- as nearly every name is written
		if not name then
			if byte(text, at) ~= quote then fail(); end
			name, after = read_string(text, at + 1);
			after = skip(text, after);
			if byte(text, after) ~= colon then fail(); end
			after = after + 1;
		end
		if found[name] ~= nil then fail(); end  -- given twice; null is a value here, never nil
		local plain, ends = match(text, '^"([^%c"\\\127]*)"()', after);  -- and most of our values
		if plain then
			found[name], at = plain, ends;
		else
			found[name], at = read_value(text, after, depth);
		end
		local sign = byte(text, at);
		if sign ~= comma and sign ~= close_object then
			at = skip(text, at);
			sign = byte(text, at);
		end
		if sign == close_object then return found, at + 1; end
		if sign ~= comma then fail(); end
		at = skip(text, at + 1);
	end
end

-- Told apart by name: each module of Prosody loads a copy of this file of its own.
local array_mt = { __name = "tillit.array" };

local function read_array(text, at, depth)
	local found = setmetatable({}, array_mt);
	at = skip(text, at);
	if byte(text, at) == close_array then return found, at + 1; end
	while true do
		found[#found + 1], at = read_value(text, at, depth);
		at = skip(text, at);
		local sign = byte(text, at);
		if sign == close_array then return found, at + 1; end
		if sign ~= comma then fail(); end
		at = at + 1;
	end
end

-- Objects and lists of names, words and numbers only, nothing inside them and nothing escaped.
local flat_forms = { [open_object] = '^{["%w:,_-]*}', [open_array] = '^%[["%w,._-]*%]' };
local longest_flat, most_flat = 1024, 256;
local flat_known, flat_count = {}, 0;
local sharing = false;

-- Read an object or list that an earlier text may have had, letter for letter: then it is the same table.
local function read_shared(text, at, depth, sign)
	local read = sign == open_object and read_object or read_array;
	local flat = depth < max_depth and match(text, flat_forms[sign], at);
	if not flat or #flat > longest_flat then return read(text, at + 1, depth + 1); end
	local found, after = flat_known[flat], at + #flat;
	if found then return found, after; end
	local ends;
	found, ends = read(text, at + 1, depth + 1);
	if ends ~= after then return found, ends; end  -- a bracket inside a text: it was no flat one
	if flat_count >= most_flat then flat_known, flat_count = {}, 0; end
	flat_known[flat], flat_count = found, flat_count + 1;
	return found, ends;
end

function read_value(text, at, depth)
	if depth > max_depth then fail(); end
	at = skip(text, at);
	local sign = byte(text, at);
	if sign == quote then return read_string(text, at + 1); end
	if sharing and flat_forms[sign] then return read_shared(text, at, depth, sign); end
	if sign == open_object then return read_object(text, at + 1, depth + 1); end
	if sign == open_array then return read_array(text, at + 1, depth + 1); end
	local word = match(text, "^%l+", at);
	if word then
		if literals[word] == nil then fail(); end
		return literals[word], at + #word;
	end
	local number, after = match(text, "^(%-?%d+)()", at);
	if not number or match(number, "^%-?0%d") or match(text, "^[.eE]", after) then fail(); end
	local whole = math.tointeger(number);
	if not whole then fail(); end  -- beyond 64 bits: no number of ours
	return whole, after;
end

-- Return the JSON object in these bytes as a table, or nil, "token-malformed".
-- Whole numbers are Lua integers, null is `null`, arrays answer true to is_array.
-- share: parts that other texts had too may be the very tables they became there. The caller changes none of them.
local function decode_object(text, share)
	if type(text) ~= "string" or not utf8.len(text) then return nil, "token-malformed"; end
	sharing = share == true;
	local ok, found, at = pcall(read_value, text, 1, 0);
	sharing = false;
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
