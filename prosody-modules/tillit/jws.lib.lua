-- Compact JSON Web Signatures, read as strictly as sidecar/domain/jws.py reads them: one algorithm, one form of every
-- byte, a closed header, keys from a JWKS and never from the token. Source: RFC 7515, RFC 7517, RFC 7518, RFC 8725.

local base64 = require "util.encodings".base64;
local sha256 = require "util.hashes".sha256;
local json_encode = require "util.json".encode;
local digest = require "openssl.digest";
local pkey = require "openssl.pkey";
local strict_json = module:require "tillit/strict_json";

local max_token_bytes = 8192;  -- a full join token is about 1.6 kB
local rsa_least_bytes = 256;  -- RFC 7518 section 3.3
-- A modulus that is a power of 65537 modulo each of these was made by a library whose keys can be factored
-- (CVE-2017-15361).
local roca_primes = { 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157 };

local function b64url(data)
	return (base64.encode(data):gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }));
end

-- Return the bytes, or nil when the text is not the one canonical spelling of them.
local function unb64url(text)
	-- Looking for one plain sign is many times faster than for one of a class, and a token has 1,600 signs.
	if type(text) ~= "string" or text:find("+", 1, true) or text:find("/", 1, true) or text:find("=", 1, true) then
		return nil;
	end
	local plain = text;
	if text:find("-", 1, true) or text:find("_", 1, true) then
		plain = text:gsub("[-_]", { ["-"] = "+", ["_"] = "/" });
	end
	plain = plain .. ("="):rep(-#text % 4);
	local data = base64.decode(plain);
	if not data or base64.encode(data) ~= plain then return nil; end  -- a stray sign, leftover bits, a sign too few
	return data;
end

local function der(tag, content)
	local size = #content;
	if size < 128 then return string.char(tag, size) .. content; end
	if size < 256 then return string.char(tag, 0x81, size) .. content; end
	return string.char(tag, 0x82, size >> 8, size & 0xff) .. content;
end

local function der_unsigned(bytes)
	bytes = bytes:gsub("^%z+", "");
	if bytes == "" or bytes:byte() >= 128 then bytes = "\0" .. bytes; end
	return der(0x02, bytes);
end

-- SubjectPublicKeyInfo (RFC 5280 section 4.1) of an uncompressed point on P-256, up to the point.
local ec_prefix = "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
	.. "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\0\4";
local rsa_algorithm = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

local function may_be_factored(modulus)
	for _, prime in ipairs(roca_primes) do
		local rest = 0;
		for i = 1, #modulus do rest = (rest * 256 + modulus:byte(i)) % prime; end
		local power, member = 1, false;
		for _ = 1, prime do
			member = member or power == rest;
			power = power * 65537 % prime;
		end
		if not member then return false; end
	end
	return true;
end

local function read_public_key(jwk)
	local spki;
	if jwk.alg == "ES256" and jwk.kty == "EC" and jwk.crv == "P-256" then
		local x, y = unb64url(jwk.x), unb64url(jwk.y);
		if not x or not y or #x ~= 32 or #y ~= 32 then return nil; end
		spki = ec_prefix .. x .. y;
	elseif jwk.alg == "RS256" and jwk.kty == "RSA" and jwk.crv == nil then
		local n, e = unb64url(jwk.n), unb64url(jwk.e);
		if not n or e ~= "\1\0\1" then return nil; end
		n = n:gsub("^%z+", "");
		if #n < rsa_least_bytes or #n == rsa_least_bytes and n:byte() < 128 or may_be_factored(n) then return nil; end
		spki = der(0x30, rsa_algorithm .. der(0x03, "\0" .. der(0x30, der_unsigned(n) .. der_unsigned(e))));
	else
		return nil;
	end
	local ok, key = pcall(pkey.new, spki, "DER");  -- refuses a point that is off the curve
	return ok and key or nil;
end

local function is_kid(kid)
	return type(kid) == "string" and #kid <= 64 and kid:find("^[A-Za-z0-9_-][A-Za-z0-9_.@-]*$") ~= nil;
end

local function for_verifying(jwk)
	if jwk.use ~= nil and jwk.use ~= "sig" then return false; end
	if jwk.d ~= nil or jwk.p ~= nil or jwk.q ~= nil or jwk.k ~= nil then return false; end
	if jwk.key_ops == nil then return true; end
	if not strict_json.is_array(jwk.key_ops) then return false; end
	for _, operation in ipairs(jwk.key_ops) do
		if operation == "verify" then return true; end
	end
	return false;
end

-- Return the keys of a JWKS document by kid, or nil, "key-set-unreadable". One doubtful key spoils the whole set.
local function read_key_set(document)
	local found = strict_json.decode_object(document);
	if not found or not strict_json.is_array(found.keys) then return nil, "key-set-unreadable"; end
	local keys = {};
	for _, jwk in ipairs(found.keys) do
		if not strict_json.is_object(jwk) or not is_kid(jwk.kid) or keys[jwk.kid] or not for_verifying(jwk) then
			return nil, "key-set-unreadable";
		end
		local key = read_public_key(jwk);
		if not key then return nil, "key-set-unreadable"; end
		keys[jwk.kid] = { algorithm = jwk.alg, key = key };
	end
	return keys;
end

-- Exactly r||s: DER and padded forms would be a second spelling of the same signature.
local function ecdsa_to_der(signature)
	if #signature ~= 64 then return nil; end
	return der(0x30, der_unsigned(signature:sub(1, 32)) .. der_unsigned(signature:sub(33)));
end

local function ecdsa_from_der(signature)
	local r_size = signature:byte(4);
	local r, s = signature:sub(5, 4 + r_size), signature:sub(7 + r_size);
	local function fixed(bytes) return ("\0"):rep(32 - #bytes:gsub("^%z+", "")) .. bytes:gsub("^%z+", ""); end
	return fixed(r) .. fixed(s);
end

local function is_signed(known, signing_input, signature)
	if known.algorithm == "ES256" then
		signature = ecdsa_to_der(signature);
		if not signature then return false; end
	end
	local ok, valid = pcall(known.key.verify, known.key, signature, digest.new("sha256"):update(signing_input));
	return ok and valid == true;
end

-- The header of every token under one key is the same text: what was read once need not be read again.
local headers, headers_known = {}, 0;
local most_headers = 64;

local function read_header(first)
	local header = headers[first];
	if header then return header; end
	local head = unb64url(first);
	header = head and strict_json.decode_object(head);
	if not header then return nil; end
	if headers_known >= most_headers then headers, headers_known = {}, 0; end
	if #first <= 512 then headers[first], headers_known = header, headers_known + 1; end
	return header;
end

-- Return the kid a token names, only to know whether our keys are stale; nil when it names none.
local function unverified_kid(token)
	if type(token) ~= "string" or #token > max_token_bytes then return nil; end
	local header = read_header(token:match("^([^.]*)%.") or "");
	return header and is_kid(header.kid) and header.kid or nil;
end

-- Return the payload's bytes of a compact JWS that one of these keys signed, or nil and a slug of
-- docs/problems.md: "token-malformed", "token-bad-signature".
local function verify_compact(token, keys, algorithm, expected_type)
	assert(algorithm == "ES256" or algorithm == "RS256", "an algorithm we verify");
	if type(token) ~= "string" or #token > max_token_bytes then return nil, "token-malformed"; end
	local one = token:find(".", 1, true);
	local two = one and token:find(".", one + 1, true);
	if not two or token:find(".", two + 1, true) then return nil, "token-malformed"; end
	local payload, signature = unb64url(token:sub(one + 1, two - 1)), unb64url(token:sub(two + 1));
	local header = payload and signature and read_header(token:sub(1, one - 1));
	if not header then return nil, "token-malformed"; end
	-- A closed list: jku, jwk, x5u, x5c would bring the token's own key; crit and b64 change the reading.
	for name in pairs(header) do
		if name ~= "alg" and name ~= "kid" and name ~= "typ" then return nil, "token-malformed"; end
	end
	if header.alg ~= algorithm or header.typ ~= expected_type or not is_kid(header.kid) then
		return nil, "token-malformed";
	end
	local known = keys[header.kid];
	if not known or known.algorithm ~= algorithm or not is_signed(known, token:sub(1, two - 1), signature) then
		return nil, "token-bad-signature";
	end
	return payload;
end

-- Return an ES256 signing key read from a PEM, under its RFC 7638 thumbprint.
local function read_signing_key(pem)
	local key = pkey.new(pem);
	local point = key:toPEM("public");
	local spki = base64.decode((point:gsub("%-%-%-%-%-[^-]*%-%-%-%-%-", ""):gsub("%s", "")));
	assert(#spki == #ec_prefix + 64 and spki:sub(1, #ec_prefix) == ec_prefix, "a signing key must be on P-256");
	local x, y = b64url(spki:sub(-64, -33)), b64url(spki:sub(-32));
	local thumbprint = sha256(('{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}'):format(x, y));
	return { kid = b64url(thumbprint), key = key };
end

-- Return the compact JWS of a table.
local function sign_compact(header_type, payload, signing_key)
	local header = json_encode({ alg = "ES256", kid = signing_key.kid, typ = header_type });
	local signing_input = b64url(header) .. "." .. b64url(json_encode(payload));
	local signature = signing_key.key:sign(digest.new("sha256"):update(signing_input));
	return signing_input .. "." .. b64url(ecdsa_from_der(signature));
end

return {
	b64url = b64url; unb64url = unb64url; read_key_set = read_key_set; read_signing_key = read_signing_key;
	sign_compact = sign_compact; unverified_kid = unverified_kid; verify_compact = verify_compact;
};
