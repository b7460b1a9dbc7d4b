-- Accounts with passwords (Jicofo, the JVB, the recorder) are used from inside only: who came through the front proxy,
-- or from an address that is not one of ours, is refused before a password is looked at. Load on every host; it does
-- something on those that tillit_inside_hosts names.

if not module:get_option_set("tillit_inside_hosts", {}):contains(module.host) then return; end

local ip = require "util.ip";
local st = require "util.stanza";

local xmlns_sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
local networks = {};
for cidr in module:get_option_set("tillit_inside_addresses", {
	"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
}):items() do
	local network, bits = ip.parse_cidr(cidr);
	networks[#networks + 1] = { assert(network, "tillit_inside_addresses are networks such as 10.0.0.0/8"), bits };
end

local function is_ours(address)
	local found = address and ip.new_ip(address);
	for _, network in ipairs(networks) do
		if found and ip.match(found, network[1], network[2]) then return true; end
	end
	return false;
end

-- The proxy writes this header over whatever a client says: who has it came from outside, with any address in it.
local function note_proxy(event)
	local headers = event.request.headers;
	if headers.x_forwarded_for or headers.forwarded then event.session.tillit_proxied = true; end
end

module:hook_global("websocket-session", note_proxy);
module:hook_global("bosh-session", note_proxy);

-- 100: before mod_saslauth (0).
module:hook("stanza/" .. xmlns_sasl .. ":auth", function(event)
	local session = event.origin;
	if not session.tillit_proxied and is_ours(session.ip) then return; end
	module:log("warn", "a login from outside was refused");
	session.send(st.stanza("failure", { xmlns = xmlns_sasl }):tag("not-authorized"):up():text_tag("text", "not-inside"));
	return true;
end, 100);
