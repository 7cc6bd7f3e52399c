# frozen_string_literal: true

module Torture
  class Inputs
    # What stands in the places of texts, headers, bodies and paths.
    module Values
      FRAGMENTS = [
        "'; DROP TABLE systems; --", '" OR 1=1 #', '\\', '%_', '<script>alert(1)</script>', '&amp;&#0;', "]]>\u2028\u2029",
        "\u0000",
        "a\u0000b", "\u0001\u001f\u007f\u0085", "\u202e\ufeff\uffff", '$serde_json::private::Number', '{"a":1}',
        '../../etc/passwd',
        '%00%0d%0aX: y', '{{7*7}}', '#{7*7}', '$(id)', 'x' * 255 # rubocop:disable Lint/InterpolationCheck
      ].freeze
      HOSTS = [
        '', ' ', 'a b', "a\tb", ':', ':80', 'a:', 'a:b', 'a:0', 'a:99999', '[::1]', '[::1]:80', '[', ']', '::', 'a@b', 'a/b',
        'a?b',
        'a#b', '"><script>', "';--", 'a,b', '-a', '.', '..', 'a_b', 'a%00b', "\xC3\xA9", "\xFF\xFE", '0x7f.1', 'h' * 253,
        'h' * 8000,
        'localhost, evil.example', 'evil.example:80, b'
      ].freeze
      PROTOCOLS = ['javascript', 'https,http', 'wss', 'x', '', "\xFF", 's' * 8000].freeze
      ACCEPTS = [
        '', ' ', '*', '*/*', '/', 'a', 'a/b', 'a/b/c', ',', ';', ',,,', '*/*;q=2', '*/*;q=-1', '*/*;q=x', 'text/html;a="',
        'application/vnd.scc.suse.com.v3+json', 'application/vnd.scc.suse.com.v4+json',
        'application/vnd.scc.suse.com.v3+json' * 50,
        'application/vnd.scc.suse.com.v3+json,application/vnd.scc.suse.com.v4+json', 'application/vnd.scc.suse.com.v99+json',
        "\xFF",
        "a\u0085", '*/*,' * 2000, 'x/' * 4000, 'application/json', 'application/xml', 'text/html', 'image/png'
      ].freeze
      TYPES = [
        '', ' ', 'x', '/', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data',
        'multipart/form-data; boundary=',
        'multipart/form-data; boundary=x', 'application/json; charset=utf-16', 'application/json; charset=none',
        'APPLICATION/JSON',
        "\xFF", 'text/xml', 'application/xml', 'application/yaml', 'application/json, application/json', 'a' * 4000
      ].freeze
      # Bodies that are not long, but not right either.
      BODIES = [
        "\0", '{', '}', '[]', 'null', '1', '"a"', '{}', '{]', "\xFF", "\xEF\xBB\xBF{}", '{"a":NaN}', '{"a":1e999999}', '{"a":-}',
        '{"a":01}', "{\"hostname\":\"\xC3\x28\"}", "{\"\xFF\":1}", '{"hostname":"\ud800"}', '{"hostname":"\u0000"}', '/**/{}',
        "{'a':1}",
        '{"a":1,"a":{"a":[null,null]}}', '{"hwinfo":{"$serde_json::private::Number":"1"}}', "{\"a\":\"\u{1F600}\"}",
        '{"hwinfo":{"\u0024serde_json::private::Number":"x"}}', '{"__proto__":{},"json_class":"String","^o":"Object"}',
        '{"_method":"DELETE","format":"xml"}', '{"controller":"x","action":"y","id":[]}', '{"products":{}}', '{"payload":"null"}',
        '{"products":[1,null,[]]}', '{"payload":"{"}'
      ].freeze
      AUTHORIZATIONS = [
        '', ' ', 'Basic', 'Basic ', 'Basic ====', 'Basic YWI=', 'Basic Og==', 'Basic /zo=', 'Basic YTpi, Basic YTpi', 'Digest x',
        'Bearer x', 'Token', 'Token token=', 'Token token="', 'Token token="a",b', "Token token=#{'x' * 20_000}",
        "Token token=\xFF",
        "Token token=';--", "Basic #{[(0..255).to_a.pack('C*')].pack('m0')}", "Basic #{["#{'x' * 20_000}:y"].pack('m0')}",
        *FRAGMENTS.map { |text| "Basic #{["#{text}:#{text}"].pack('m0')}" }
      ].freeze
      # Any byte that a header may have.
      TOKENS = ((1..255).map { |byte| [byte].pack('C') }.grep_v(/[\r\n]/n).map { |byte| "a#{byte}b" } +
                ['x' * 254, 'x' * 255, 'x' * 256, 'x' * 8000, "\u{1F600}", ' ']).freeze
      AGENTS = ['', 'x' * 8000, "\xFF", "zypp\xFF", "\u{1F600}", *FRAGMENTS.grep_v(/[\0\r\n]/)].freeze
      PATHS = [
        '/%', '/%zz', '/%00', '//', '/..', '/connect/%2e%2e/systems', '/connect/systems%00', '/connect/systems/',
        '/connect/systems.xml', '/connect//systems', "/#{'a' * 8000}", '/services/0', '/services/-1', '/services/1e9',
        "/services/#{'9' * 500}", '/services/1%0a', '/connect/systems/products?a[]=1&a[b]=2', '/connect/systems/products?%',
        '/connect/systems/products?=', '/connect/systems/products?a=%ff', "/connect/systems/products?#{'a[' * 200}",
        '/connect/systems/products?identifier[]=a&version[x]=1', "/connect/repositories/installer?#{'&' * 5000}",
        "/connect/repositories/installer?#{'a=1&' * 1200}", '/api/health/status?a=%', '/api/health/status;x', '*',
        '/connect/repositories/installer?identifier=%00&version=%27&arch=%3Cb%3E', 'http://evil.example/api/health/status',
        "/\xFF"
      ].freeze
      METHODS = ['HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'LINK', 'get', 'FOO', 'A' * 200].freeze
    end
  end
end
