-- A stand-in for a component of Jitsi: says back to the sender what reached it, inside <got/>.

local st = require "util.stanza";

local function echo(event)
	local stanza = event.stanza;
	if stanza.attr.type == "error" or stanza.attr.type == "result" then return true; end
	local answer = stanza.name == "iq" and st.reply(stanza)
		or st.message({ from = stanza.attr.to, to = stanza.attr.from, id = stanza.attr.id });
	answer:tag("got", { xmlns = "urn:tillit:test" }):add_child(st.clone(stanza.tags[1])):up();
	event.origin.send(answer);
	return true;
end

for _, target in ipairs({ "bare", "full", "host" }) do
	module:hook("message/" .. target, echo);
	module:hook("iq/" .. target, echo);
end
