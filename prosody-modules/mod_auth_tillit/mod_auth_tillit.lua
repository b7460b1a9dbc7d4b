-- Lets in whoever brings a join token in the query of the WebSocket or BOSH URL: `?token=<JWS>&room=<room>`.
-- For plain Prosody, where Jitsi's own token module is missing; it fills the session fields that module fills.

local formdecode = require "util.http".formdecode;
local generate_uuid = require "util.uuid".generate;
local xmpp_session = module:require "tillit/xmpp_session";

local keys = xmpp_session.join_keys();

-- As formdecode reads it, which takes its time over a token: nothing in one is ever written with an escape.
local function read_params(query)
	if query:find("%", 1, true) or query:find("+", 1, true) then return formdecode(query); end
	local found, at = {}, 1;
	repeat
		local ends = query:find("&", at, true) or #query + 1;
		local equals = query:find("=", at, true);
		if equals and equals < ends then found[query:sub(at, equals - 1)] = query:sub(equals + 1, ends - 1); end
		at = ends + 1;
	until at > #query;
	return found;
end

local function read_query(event)
	local query = event.request.url and event.request.url.query;
	if not query then return; end
	local params = read_params(query);
	if type(params) ~= "table" then return; end
	event.session.auth_token = params.token;
	event.session.jitsi_web_query_room = params.room;
	-- Prosody keeps the request for as long as the connection: not the token in it.
	local request = event.request;
	request.url.query = nil;
	request.path = request.url.path;
end

module:hook_global("websocket-session", read_query);
module:hook_global("bosh-session", read_query);

-- The fields Jitsi's modules read, and no other meaning in them.
local function fill_jitsi_fields(session)
	local grant = session.tillit;
	session.jitsi_meet_context_user = {
		id = grant.id, name = grant.name, moderator = grant.moderator,
		affiliation = grant.moderator and "owner" or "member",
	};
	-- A copy: tokens share what they have in common, and what other modules do with this field is theirs.
	local features = {};
	for name, on in pairs(grant.features) do features[name] = on; end
	session.jitsi_meet_context_features = features;
	session.jitsi_meet_room = grant.room;
	session.jitsi_meet_domain = grant.brand;
	session.jitsi_meet_auth_issuer = grant.issuer;
end

-- Prosody asks its own ANONYMOUS again until it hears yes; one that can say no is this small.
local sasl_methods = {};

function sasl_methods.mechanisms() return { ANONYMOUS = true }; end

function sasl_methods:select(mechanism)
	if mechanism ~= "ANONYMOUS" then return false; end
	self.selected = mechanism;
	return true;
end

function sasl_methods:process()
	local session = self.session;
	local ok, err = xmpp_session.open_session(session, session.auth_token, session.jitsi_web_query_room, keys);
	session.auth_token = nil;  -- one try for each connection, and nothing left to log
	if not ok then
		module:log("info", "login refused: %s", err);
		if err == "sidecar-unreachable" then return "failure", "temporary-auth-failure", err; end
		return "failure", "not-authorized", err;
	end
	fill_jitsi_fields(session);
	self.username = generate_uuid();
	return "success";
end

local function new_sasl(session)
	return setmetatable({ session = session }, { __index = sasl_methods });
end

function sasl_methods:clean_clone() return new_sasl(self.session); end

local provider = {};

function provider.get_sasl_handler(session) return new_sasl(session); end

function provider.test_password() return nil, "There are no passwords here."; end
function provider.get_password() return nil; end
function provider.set_password() return nil, "There are no passwords here."; end
function provider.user_exists() return nil; end
function provider.create_user() return nil, "There are no accounts here."; end
function provider.delete_user() return nil; end

module:provides("auth", provider);
