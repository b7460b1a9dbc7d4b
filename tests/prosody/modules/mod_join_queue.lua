-- A stand-in for Jitsi's join queue: holds a join back once and plays it again, as it came, a moment later. Only for
-- nicknames that begin with "queued".

local held = {};

-- 8: where muc_meeting_id sits.
module:hook("muc-occupant-pre-join", function(event)
	local nick = event.stanza.attr.to;
	if not nick:find("/queued") or held[nick] then return; end
	held[nick] = true;
	module:add_timer(0.05, function() event.room:handle_normal_presence(event.origin, event.stanza); end);
	return true;
end, 8);
