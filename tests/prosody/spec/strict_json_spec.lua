-- Run with: busted --lua=lua5.4 --pattern=_spec tests/prosody/spec

dofile(debug.getinfo(1, "S").source:match("^@(.*)strict_json_spec.lua$") .. "prosody_path.lua");
local strict_json = module:require "tillit/strict_json";

local function decode(text) return (strict_json.decode_object(text)); end

describe("strict_json", function()
	it("reads what an honest writer writes", function()
		local found = decode('{"a": [1, -2, true, null], "b": {"c": "\\u00e5\\ud83d\\ude00\\n"}}');
		assert.same({ 1, -2, true }, { found.a[1], found.a[2], found.a[3] });
		assert.equal(strict_json.null, found.a[4]);
		assert.equal("å😀\n", found.b.c);
		assert.equal("integer", math.type(found.a[1]));
		assert.is_true(strict_json.is_array(found.a));
		assert.is_true(strict_json.is_object(found.b));
	end);

	it("refuses a key given twice, spelt alike or not, at any depth", function()
		assert.is_nil(decode('{"a":1,"a":1}'));
		assert.is_nil(decode('{"a":1,"\\u0061":2}'));
		assert.is_nil(decode('{"x":[{"a":1,"a":2}]}'));
		assert.is_nil(decode('{"a":null,"a":2}'));
	end);

	for _, text in ipairs({
		"", "[]", "1", '"a"', "null", "{", "{}x", '{"a":1,}', "{'a':1}", '{"a":01}', '{"a":1.0}', '{"a":1e3}', '{"a":-}',
		'{"a":NaN}', '{"a":Infinity}', '{"a":"\\ud800"}', '{"a":"\\udc00"}', '{"a":"\\x41"}', '{"a":"\n"}', '{"a":"\255"}',
		'{"a":99999999999999999999}',
		'\239\187\191{"a":1}', '{"a":tru}', '{"a" 1}', ('{"a":'):rep(99) .. "1" .. ("}"):rep(99),
	}) do
		it("refuses " .. ("%q"):format(text:sub(1, 24)), function() assert.is_nil(decode(text)); end);
	end
end);
