-- Control tokens: one process commands another, once, with exactly this request. The form of
-- sidecar/domain/control_tokens.py, in both directions: the sidecar's commands to us, our events to the sidecar.

local hashes = require "util.hashes";
local random_bytes = require "util.random".bytes;
local jws = module:require "tillit/jws";
local strict_json = module:require "tillit/strict_json";
local tokens = module:require "tillit/tokens";

local token_type = "tillit-control+jwt";
local ttl = 30;  -- seconds
local names = { "iss", "aud", "jti", "method", "target", "body_sha256" };

local function new_id() return jws.b64url(random_bytes(16)); end

-- Return the token for one request. request: { method =, target = path with query, body = }.
local function mint(signing_key, issuer, audience, request, now)
	return jws.sign_compact(token_type, {
		iss = issuer, aud = audience, iat = now, exp = now + ttl, jti = new_id(), method = request.method,
		target = request.target, body_sha256 = jws.b64url(hashes.sha256(request.body)),
	}, signing_key);
end

local function read(payload)
	local claims = strict_json.decode_object(payload);
	if not claims then return nil; end
	local count = 0;
	for _ in pairs(claims) do count = count + 1; end
	if count ~= #names + 2 then return nil; end
	for _, name in ipairs(names) do
		if type(claims[name]) ~= "string" then return nil; end
	end
	if not tokens.is_jti(claims.jti) or not tokens.is_moment(claims.iat) or not tokens.is_moment(claims.exp) then
		return nil;
	end
	if claims.exp <= claims.iat or claims.exp > claims.iat + ttl then return nil; end
	return claims;
end

-- Return the claims of a token for this very request, or nil and a slug. The caller spends its jti.
local function verify(token, expected, request, now)
	local payload, err = jws.verify_compact(token, expected.keys, "ES256", token_type);
	if not payload then return nil, err; end
	local claims = read(payload);
	if not claims then return nil, "token-malformed"; end
	if claims.iss ~= expected.issuer then return nil, "token-wrong-issuer"; end
	if claims.aud ~= expected.audience then return nil, "token-wrong-audience"; end
	if claims.method ~= request.method or claims.target ~= request.target
	or claims.body_sha256 ~= jws.b64url(hashes.sha256(request.body)) then
		return nil, "token-wrong-request";
	end
	err = tokens.check_times(claims.iat, claims.iat, claims.exp, now);
	if err then return nil, err; end
	return claims;
end

return { mint = mint; new_id = new_id; verify = verify; keep = ttl + tokens.skew };
