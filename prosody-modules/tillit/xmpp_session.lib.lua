-- What our modules know about an XMPP session, in one place. `session.tillit` is the grant of a join token that our
-- own verifier read in full (tokens.lib.lua); no other module's fields are asked about rights.

local jid_bare = require "util.jid".bare;
local jid_host = require "util.jid".host;
local st = require "util.stanza";
local usermanager = require "core.usermanager";
local jws = module:require "tillit/jws";
local key_source = module:require "tillit/key_source";
local tokens = module:require "tillit/tokens";
local now = require "util.time".now;

local trusted_jids = module:get_option_set("tillit_trusted_jids", {});
local trusted_hosts = module:get_option_set("tillit_trusted_hosts", {});
local issuer = module:get_option_string("tillit_issuer", "tillit");
local audience = module:get_option_string("tillit_audience");
local algorithm = module:get_option_string("tillit_join_algorithm", "RS256");

-- Shared by our modules on every host: who records, who expels, which gates stand.
local state = module:shared("/*/tillit/state");
state.gates = state.gates or {};

local function join_keys()
	return key_source.get("join", {
		location = assert(module:get_option_string("tillit_join_keys"), "tillit_join_keys names the JWKS of join tokens");
		refresh = math.max(1, module:get_option_number("tillit_join_keys_refresh", 10));
		patience = math.max(2, module:get_option_number("tillit_sidecar_patience", 30));
	});
end

-- Return the grant of a session that came with a verified join token, or nil.
local function grant_of(session) return session and session.tillit; end

local admin_roles = { ["prosody:admin"] = true, ["prosody:operator"] = true };

local function is_admin(bare_jid)
	if usermanager.get_jid_role then
		local role = usermanager.get_jid_role(bare_jid, module.host);
		return role ~= nil and admin_roles[role.name] == true;
	end
	return usermanager.is_admin(bare_jid, module.host) == true;  -- COMPAT: 0.12
end

-- Say whether this is one of ours: Jicofo, the bridge, the recorder. By account, never by nickname.
local function is_trusted(jid)
	if not jid then return false; end
	return trusted_jids:contains(jid_bare(jid)) or trusted_hosts:contains(jid_host(jid)) or is_admin(jid_bare(jid));
end

-- Verify a session's token and hang its grant on the session. Returns true, or nil and a slug.
local function open_session(session, token, room, keys)
	if type(token) ~= "string" or type(room) ~= "string" then return nil, "token-malformed"; end
	assert(audience, "tillit_audience names this shard");
	local current = keys:current(jws.unverified_kid(token));
	if not current then return nil, "sidecar-unreachable"; end
	local expected = { keys = current, algorithm = algorithm, issuer = issuer, audience = audience, room = room };
	local grant, err = tokens.verify_join_token(token, expected, math.floor(now()));
	if not grant then return nil, err; end
	local closed = state.why_closed and state.why_closed(grant);
	if closed then return nil, closed; end
	session.tillit = grant;
	if state.keep then state.keep(session, grant); end
	return true;
end

-- Put an event on its way. Returns true once it is safely queued, else nil: then the act must not happen.
local function record(kind, room, participant, data)
	if not state.put_event then return nil; end
	return state.put_event(kind, room, participant, data);
end

-- Answer a stanza with an error that names the rule, and report it. Says nothing back to errors and results.
local function refuse(event, condition, rule, kind)
	local session, stanza = event.origin, event.stanza;
	local grant = grant_of(session);
	module:log("info", "refused: %s, rule=%s", stanza.name, rule);
	if grant then record(kind or "message.dropped", grant.room, grant.id, { type = stanza.name, rule = rule }); end
	local stanza_type = stanza.attr.type;
	if stanza_type ~= "error" and stanza_type ~= "result" then
		session.send(st.error_reply(stanza, "auth", condition, rule));
	end
	return true;
end

return {
	grant_of = grant_of; is_trusted = is_trusted; join_keys = join_keys; open_session = open_session;
	record = record; refuse = refuse; state = state;
};
