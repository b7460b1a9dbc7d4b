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

	it("reads a part that another text had too as the same table, and the rest anew", function()
		local one = strict_json.decode_object('{"n":1,"f":{"x":true},"l":["a","b"]}', true);
		local two = strict_json.decode_object('{"n":2,"f":{"x":true},"l":["a","c"]}', true);
		assert.equal(one.f, two.f);
		assert.not_equal(one.l, two.l);
		assert.same({ 2, true, "c" }, { two.n, two.f.x, two.l[2] });
		assert.not_equal(one.f, decode('{"f":{"x":true}}').f);
	end);

	it("shares nothing that a bracket inside a text cuts short", function()
		for _ = 1, 2 do
			local found = strict_json.decode_object('{"f":{"x":"a}b","y":"c"},"l":["a]b","c"]}', true);
			assert.same({ "a}b", "c", "a]b", "c" }, { found.f.x, found.f.y, found.l[1], found.l[2] });
			assert.is_nil(strict_json.decode_object('{"f":{"x":"a}', true));
			assert.is_nil(strict_json.decode_object(('{"a":'):rep(32) .. '{"x":true}' .. ("}"):rep(32), true));
			assert.is_nil(strict_json.decode_object('{"f":{"x":1,"x":2}}', true));
			assert.is_nil(strict_json.decode_object('{"f":{"x":1-2}}', true));
		end
	end);

	for _, text in ipairs({
		"", "[]", "1", '"a"', "null", "{", "{}x", '{"a":1,}', "{'a':1}", '{"a":01}', '{"a":1.0}', '{"a":1e3}', '{"a":-}',
		'{"a":NaN}', '{"a":Infinity}', '{"a":"\\ud800"}', '{"a":"\\udc00"}', '{"a":"\\x41"}', '{"a":"\n"}', '{"a":"\255"}',
		'{"a":99999999999999999999}',
		'\239\187\191{"a":1}', '{"a":tru}', '{"a" 1}', ('{"a":'):rep(99) .. "1" .. ("}"):rep(99),
	}) do
		it("refuses " .. ("%q"):format(text:sub(1, 24)), function()
			assert.is_nil(decode(text));
			assert.is_nil(strict_json.decode_object(text, true));
		end);
	end
end);
