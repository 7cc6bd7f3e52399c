# frozen_string_literal: true

module Torture
  class Inputs
    # What servers for the web make of bytes before anybody else sees them. The server need not answer to all of it.
    module Framing
      BODY = '{"hostname":"framed"}'
      CHUNK = "#{BODY.bytesize.to_s(16)}\r\n#{BODY}\r\n".freeze
      GET = "GET /api/health/status HTTP/1.1\r\nHost: a\r\n\r\n"
      LENGTHS = %w[0 1 -1 x 0x15 +21 21,21 99999999999999999999].freeze
      private_constant :BODY, :CHUNK, :GET, :LENGTHS

      private

      def framing
        lengths + chunks + broken.map { |name, text| input(name, text, silent: true) } + [
          input('pipelined', GET * 100, answers: 100), input('slow', *request(Inputs::ANNOUNCE, BODY).scan(/.{1,40}/mn)),
          input('no host', "GET /api/health/status HTTP/1.1\r\n\r\n"),
          input('HTTP/1.0', "GET /api/health/status HTTP/1.0\r\n\r\n"),
          input('two hosts', request(['GET', '/services/1'], '', 'host' => 'b'))
        ]
      end

      def lengths
        LENGTHS.map { |text| input("length #{text}", request(Inputs::ANNOUNCE, BODY, 'Content-Length' => text), silent: true) } <<
          input('two lengths', request(Inputs::ANNOUNCE, BODY, 'content-length' => '3'), silent: true)
      end

      def chunks
        [input('chunks', chunked("#{CHUNK}0\r\n\r\n")), input('many chunks', chunked("#{"1\r\n \r\n" * 5000}0\r\n\r\n")),
         input('no chunk', chunked("zz\r\n"), silent: true),
         input('a large chunk', chunked("ffffffffffffffff\r\n"), silent: true),
         input('chunks and a length', chunked("#{CHUNK}0\r\n\r\n", 'Content-Length' => '3'), silent: true)] +
          %w[gzip identity chunked,chunked x].map do |text|
            input("encoding #{text}", chunked(CHUNK, 'Transfer-Encoding' => text), silent: true)
          end
      end

      def chunked(text, headers = {})
        usual = { 'Content-Type' => 'application/json', 'Transfer-Encoding' => 'chunked' }
        request(Inputs::ANNOUNCE, '', usual.merge(headers)) + text
      end

      def broken
        { 'bare line ends' => GET.delete("\r"), 'HTTP/9.9' => "GET / HTTP/9.9\r\nHost: a\r\n\r\n", 'nothing' => "\r\n\r\n",
          'TLS' => "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03".b,
          'a thousand headers' => request(['GET', '/services/1'], '', (1..1000).to_h { |number| ["X-#{number}", 'y'] }),
          'a header of ten megabytes' => request(['GET', '/api/health/status'], '', 'X' => 'x' * (10 << 20)) }
      end
    end
  end
end
