-- Reads lines "<issuer> <audience> <room> <algorithm> <now> <token as hex>" and writes of each token "ok" or its slug.
-- Usage: lua5.4 verify_tokens.lua <folder of this file> <JWKS file> < lines

dofile(arg[1] .. "/spec/prosody_path.lua");
local jws = module:require "tillit/jws";
local tokens = module:require "tillit/tokens";

local file = assert(io.open(arg[2], "r"));
local keys = assert(jws.read_key_set(file:read("a")));
file:close();

for line in io.lines() do
	local issuer, audience, room, algorithm, now, hex = line:match("^(%S+) (%S+) (%S+) (%S+) (%d+) (%x*)$");
	local token = hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)); end);
	local expected = { keys = keys, algorithm = algorithm, issuer = issuer, audience = audience, room = room };
	local grant, err = tokens.verify_join_token(token, expected, math.tointeger(now));
	print(grant and "ok" or err);
end
