-- The join token: one person, one room, once, within two minutes. Reads exactly what sidecar/domain/tokens.py
-- writes, and refuses whatever that file refuses; a test runs one corpus of forgeries through both.

local jws = module:require "tillit/jws";
local strict_json = module:require "tillit/strict_json";

local skew = 30;  -- seconds
local max_ttl = 120;  -- seconds
local latest = 253402300799;  -- 9999-12-31T23:59:59Z

local size_of = {};  -- set -> how many are in it

local function set(text)
	local found, count = {}, 0;
	for name in text:gmatch("%S+") do found[name], count = true, count + 1; end
	size_of[found] = count;
	return found;
end

local claim_names = set "iss aud sub room iat nbf exp jti context tillit";
local context_names = set "user features";
local user_names = set "id name affiliation moderator";
local our_names = set [[v meeting band type capacity loa method permissions region encryption session_until]];
local features = set [[
	branding calendar create-polls file-upload flip inbound-call list-visitors live-translation
	live-translation-subscribe livestreaming lobby moderation outbound-call recording room screen-sharing
	send-groupchat send-private-message sip-inbound-call sip-outbound-call transcription
]];
local permissions = set [[
	speak show_camera share_window share_screen chat private_chat react raise_hand poll whiteboard whiteboard_import
	cobrowse send_file upload_document present_document view_document download_document sign approve_transaction
	calculate see_unmasked record transcribe admit invite_guest mute_others expel end_meeting raise_security
]];
local capacities = set "adviser specialist customer representative observer recorder";
local loas = set "none low substantial high";
local bands = set "low medium high";
local encryptions = set "transit bridge strict";
local affiliations = set "owner member";

local function exactly(members, names)
	if not strict_json.is_object(members) then return false; end
	local count = 0;
	for name in pairs(members) do
		if not names[name] then return false; end
		count = count + 1;
	end
	return count == size_of[names];
end

local function form(pattern, least, most)
	return function(value)
		return type(value) == "string" and #value >= least and #value <= most and value:find(pattern) ~= nil;
	end
end

local is_id = form("^[A-Za-z0-9_-]+$", 1, 64);
local is_jti = form("^[A-Za-z0-9_-]+$", 16, 64);
local is_room = form("^[a-z0-9][a-z0-9_-]*$", 1, 128);
local is_method = form("^[A-Za-z0-9._:/-]+$", 1, 128);

local function is_plain(value)
	if type(value) ~= "string" then return false; end
	local length = utf8.len(value);
	return length and length >= 1 and length <= 255 and not value:find("[%z\1-\31\127]");
end

-- A name is shown to others: no control signs, and none that turn the reading direction.
local function is_name(value)
	if type(value) ~= "string" then return false; end
	local length = utf8.len(value);
	if not length or length < 1 or length > 200 then return false; end
	for _, code in utf8.codes(value) do
		if code < 0x20 or code >= 0x7f and code <= 0x9f or code == 0x2028 or code == 0x2029
		or code == 0x200e or code == 0x200f or code >= 0x202a and code <= 0x202e
		or code >= 0x2066 and code <= 0x2069 then
			return false;
		end
	end
	return true;
end

local function is_type_ref(value)
	if type(value) ~= "string" then return false; end
	local name, version = value:match("^([a-z][a-z0-9_-]*)@(%d+)$");
	return name ~= nil and #name <= 64 and #version <= 6;
end

local function is_permission(value)
	if type(value) ~= "string" then return false; end
	if permissions[value] then return true; end
	local plugin, name = value:match("^([a-z][a-z0-9_]*)%.([a-z][a-z0-9_]*)$");
	return plugin ~= nil and #plugin <= 64 and #name <= 64;
end

-- Two capacities of one type of meeting have two lists of permissions and two maps of features between all their
-- tokens, and decode_object reads the same text as the same table: what was found good once is not gone through again.
local sets_of_lists, good_features = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" });

-- Return a list of permission names as a set that nobody changes, or nil when it is not one.
local function read_permissions(value)
	if not strict_json.is_array(value) then return nil; end
	if sets_of_lists[value] then return sets_of_lists[value]; end
	local found = {};
	for _, each in ipairs(value) do
		if not is_permission(each) or found[each] then return nil; end
		found[each] = true;
	end
	sets_of_lists[value] = found;
	return found;
end

local function is_moment(value)
	return math.type(value) == "integer" and value >= 0 and value <= latest;
end

local function one_of(value, choices) return type(value) == "string" and choices[value] == true; end

local function read_features(value)
	if good_features[value] then return true; end
	if not exactly(value, features) then return false; end
	for _, on in pairs(value) do
		if type(on) ~= "boolean" then return false; end
	end
	good_features[value] = true;
	return true;
end

-- Return the grant in a payload of exactly our form, or nil, "token-malformed".
local function read_claims(payload)
	local malformed = "token-malformed";
	if not exactly(payload, claim_names) or not exactly(payload.context, context_names) then return nil, malformed; end
	local user, ours = payload.context.user, payload.tillit;
	if not exactly(user, user_names) or not exactly(ours, our_names) then return nil, malformed; end
	if math.type(ours.v) ~= "integer" or ours.v ~= 1 then return nil, malformed; end
	if not read_features(payload.context.features) then return nil, malformed; end
	-- Jitsi makes an owner of whoever has either, so the two must agree.
	if type(user.moderator) ~= "boolean" or not one_of(user.affiliation, affiliations)
	or user.moderator ~= (user.affiliation == "owner") then
		return nil, malformed;
	end
	if not (is_plain(payload.iss) and is_plain(payload.aud) and is_id(payload.sub) and is_room(payload.room)
	and is_jti(payload.jti) and is_id(user.id) and is_name(user.name)) then
		return nil, malformed;
	end
	local allowed = read_permissions(ours.permissions);
	if not (allowed and is_id(ours.meeting) and one_of(ours.band, bands) and is_type_ref(ours.type)
	and one_of(ours.capacity, capacities) and one_of(ours.loa, loas) and is_method(ours.method)
	and is_id(ours.region) and one_of(ours.encryption, encryptions) and is_moment(ours.session_until)) then
		return nil, malformed;
	end
	if not (is_moment(payload.iat) and is_moment(payload.nbf) and is_moment(payload.exp)
	and payload.iat <= payload.nbf and payload.nbf < payload.exp and payload.exp <= payload.iat + max_ttl) then
		return nil, malformed;
	end
	return {
		issuer = payload.iss, audience = payload.aud, brand = payload.sub, room = payload.room, jti = payload.jti,
		id = user.id, name = user.name, moderator = user.moderator, features = payload.context.features,
		meeting = ours.meeting, band = ours.band, type_ref = ours.type, capacity = ours.capacity, loa = ours.loa,
		method = ours.method, permissions = allowed, region = ours.region, encryption = ours.encryption,
		session_until = ours.session_until, issued = payload.iat, not_before = payload.nbf, expires = payload.exp,
	};
end

-- Return nil when now lies between, with 30 s of skew; otherwise the slug.
local function check_times(issued, not_before, expires, now)
	if math.max(issued, not_before) > now + skew then return "token-not-yet"; end
	if expires + skew <= now then return "token-expired"; end
end

-- Return the grant of a join token minted for this room and shard, or nil and a slug.
-- expected: { keys =, algorithm =, issuer =, audience =, room = }. now: seconds since the epoch.
-- The caller spends the jti before acting on it.
local function verify_join_token(token, expected, now)
	local payload, err = jws.verify_compact(token, expected.keys, expected.algorithm, "JWT");
	if not payload then return nil, err; end
	local claims = strict_json.decode_object(payload, true);
	if not claims then return nil, "token-malformed"; end
	local grant;
	grant, err = read_claims(claims);
	if not grant then return nil, err; end
	if grant.issuer ~= expected.issuer then return nil, "token-wrong-issuer"; end
	if grant.audience ~= expected.audience then return nil, "token-wrong-audience"; end
	if grant.room ~= expected.room then return nil, "token-wrong-room"; end
	err = check_times(grant.issued, grant.not_before, grant.expires, now);
	if err then return nil, err; end
	if grant.session_until <= now then return nil, "token-expired"; end
	return grant;
end

return {
	check_times = check_times; is_id = is_id; is_jti = is_jti; is_moment = is_moment; is_room = is_room;
	read_permissions = read_permissions; skew = skew; verify_join_token = verify_join_token;
};
