-- A stand-in for Jitsi's client_proxy: what is asked of this component goes to the focus' account, the answer back.

local st = require "util.stanza";
local jid = require "util.jid";

local asked, count = {}, 0;

local function focus_session()
	local user = prosody.bare_sessions[module:get_option_string("focus_account")];
	return user and select(2, next(user.sessions));
end

module:hook("iq/host", function(event)
	local session, stanza = focus_session(), event.stanza;
	if stanza.attr.type ~= "get" and stanza.attr.type ~= "set" then return true; end
	if not session then
		event.origin.send(st.error_reply(stanza, "wait", "recipient-unavailable"));
		return true;
	end
	count = count + 1;
	local copy = st.clone(stanza);
	asked["n" .. count] = { from = stanza.attr.from, id = stanza.attr.id };
	copy.attr.from, copy.attr.to = "n" .. count .. "@" .. module.host, session.full_jid;
	session.send(copy);
	return true;
end);

module:hook("iq/bare", function(event)
	local stanza = event.stanza;
	local who = asked[jid.node(stanza.attr.to)];
	if not who then return true; end
	local copy = st.clone(stanza);
	copy.attr.from, copy.attr.to, copy.attr.id = module.host, who.from, who.id;
	module:send(copy);
	return true;
end);
