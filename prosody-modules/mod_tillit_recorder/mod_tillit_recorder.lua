-- The recorder's place in a room: it alone is told which participants the occupants are, before it hears of them in
-- any other way; it stays out of a room that is encrypted end to end, and says nothing in any. Load on the main MUC
-- component, beside mod_tillit_admission.

local st = require "util.stanza";
local jid_bare = require "util.jid".bare;
local jid_node = require "util.jid".node;
local jid_resource = require "util.jid".resource;
local xmpp_session = module:require "tillit/xmpp_session";

local recorders = module:get_option_set("tillit_recorders", {});  -- bare JIDs
local xmlns = "urn:tillit:recorder:1";
local state = xmpp_session.state;

local function is_recorder(jid) return jid ~= nil and recorders:contains(jid_bare(jid)); end

local function people_of(room)
	local _, people = state.roster(jid_node(room.jid));
	return people;
end

-- 49: just below admission (50), which has let this person in: before anybody sees their presence.
module:hook("muc-occupant-pre-join", function(event)
	local room, session = event.room, event.origin;
	local grant = xmpp_session.grant_of(session);
	if not grant then
		if not is_recorder(event.stanza.attr.from) then return; end
		for _, entry in pairs(people_of(room)) do
			if entry.grant.encryption == "strict" then
				return xmpp_session.refuse(event, "not-allowed", "strict-encryption");
			end
		end
		return;
	end
	local told = st.stanza("who", { xmlns = xmlns })
		:tag("occupant", { nick = jid_resource(event.occupant.nick), id = grant.id }):up();
	for _, occupant in room:each_occupant() do
		for jid in occupant:each_session() do
			if is_recorder(jid) then
				module:send(st.message({ from = room.jid, to = jid }):add_child(st.clone(told)));
			end
		end
	end
end, 49);

-- Everybody who is inside, for a recorder that is inside too.
module:hook("iq-get/bare/" .. xmlns .. ":who", function(event)
	local origin, stanza = event.origin, event.stanza;
	local room = module:depends("muc").get_room_from_jid(stanza.attr.to);
	local occupant = room and room:get_occupant_by_real_jid(stanza.attr.from);
	if not occupant or not is_recorder(stanza.attr.from) then
		origin.send(st.error_reply(stanza, "auth", "forbidden"));
		return true;
	end
	local answer = st.reply(stanza):tag("who", { xmlns = xmlns });
	for id, entry in pairs(people_of(room)) do
		answer:tag("occupant", { nick = entry.grant.nick, id = id }):up();
	end
	origin.send(answer);
	return true;
end);

-- It listens: no gate stands before its host, so what it might be made to say ends here. 60: before the voice check
-- (50).
module:hook("muc-occupant-groupchat", function(event)
	if is_recorder(event.stanza.attr.from) then return true; end
end, 60);

module:hook("muc-private-message", function(event)
	local occupant = event.room:get_occupant_by_nick(event.stanza.attr.from);
	if occupant and is_recorder(occupant.bare_jid) then return false; end
end, 60);
