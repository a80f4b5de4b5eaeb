import NIOCore
import Testing
import WebServer

@Suite("Forms and header values")
struct FormTests {
    private static let form =
        "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b \r\n"
        + "Content-Disposition: form-data; name=\"f\"; filename=\"x \\\"y\\\".txt\"\r\nContent-Type: text/plain\r\n\r\n"
        + "line\r\n--not\r\n-\r\n--b\r\nContent-Disposition: form-data; name=\"e\"\r\n\r\n\r\n--b--\r\nepilogue"

    @Test("a form is taken apart into fields and files")
    func form() throws {
        let parts = try MultipartForm.parse(ByteBuffer(string: Self.form), boundary: "b")
        #expect(parts.map(\.name) == ["a", "f", "e"])
        #expect(parts.map { String(buffer: $0.bytes) } == ["1", "line\r\n--not\r\n-", ""])
        #expect(parts[1].filename == "x \"y\".txt")
        #expect(parts[1].contentType == "text/plain")
        #expect(parts[0].filename == nil)
        let bare = try MultipartForm.parse(
            ByteBuffer(string: "--b\r\nContent-Disposition: form-data; name=x\r\n\r\nv\r\n--b--"), boundary: "b"
        )
        #expect(bare.map(\.name) == ["x"])
    }

    @Test("the same parts come out however the bytes are cut", arguments: [1, 2, 3, 5, 7, 16, 64])
    func pieces(size: Int) throws {
        var parser = try MultipartParser(boundary: "b")
        var parts: [String] = []
        var isEnded = false
        let bytes = Array(Self.form.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            parser.push(ByteBuffer(bytes: bytes[start..<min(bytes.count, start + size)]))
            while let event = try parser.next() {
                switch event {
                case .partBegin(let head): parts.append(head.name + ":")
                case .partData(let data): parts[parts.count - 1] += String(buffer: data)
                case .partEnd: parts[parts.count - 1] += "."
                case .end: isEnded = true
                }
            }
        }
        try parser.finish()
        #expect(parts == ["a:1.", "f:line\r\n--not\r\n-.", "e:."])
        #expect(isEnded)
    }

    @Test("a form cut short at any byte is refused, never misread")
    func truncated() throws {
        let end = Self.form.utf8.count - "--\r\nepilogue".utf8.count
        for count in 0...end {
            let cut = ByteBuffer(bytes: Array(Self.form.utf8)[..<count])
            #expect(throws: MultipartError.truncated) { try MultipartForm.parse(cut, boundary: "b") }
        }
    }

    @Test("limits and broken forms are refused")
    func refusals() {
        func error(_ text: String, boundary: String = "b", parts: Int = 2, header: Int = 50) -> MultipartError? {
            var limits = MultipartParser.Limits()
            limits.maxParts = parts
            limits.maxHeaderBytes = header
            do throws(MultipartError) {
                _ = try MultipartForm.parse(ByteBuffer(string: text), boundary: boundary, limits: limits)
                return nil
            } catch {
                return error
            }
        }
        #expect(error("--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--") == nil)
        #expect(error("--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b\r\n\r\n3\r\n--b--") == .tooManyParts)
        #expect(error("--b\r\nX: \(String(repeating: "a", count: 60))\r\n\r\n1\r\n--b--") == .headersTooLarge)
        #expect(error("--b\r\nX: \(String(repeating: "a", count: 60))") == .headersTooLarge)
        #expect(error("--bX\r\n\r\n1\r\n--b--") == .malformed)
        #expect(error("--b\r\nno colon\r\n\r\n1\r\n--b--") == .malformed)
        #expect(error("", boundary: "") == .invalidBoundary)
        #expect(error("", boundary: "a\r\nb") == .invalidBoundary)
        #expect(error("", boundary: String(repeating: "b", count: 71)) == .invalidBoundary)
        #expect(error("hello") == .truncated)
    }

    @Test("random bytes never trap the parser")
    func fuzz() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("\r\n-b:;=\" a".utf8)
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 0..<80, using: &generator)).map { _ in alphabet.randomElement() ?? 0 }
            _ = try? MultipartForm.parse(ByteBuffer(bytes: Array("--b\r\n".utf8) + bytes), boundary: "b")
            _ = HeaderParameters(String(decoding: bytes, as: UTF8.self))
            _ = URLEncodedForm.parse(bytes)
        }
    }

    @Test("header parameters are read with quotes, escapes and RFC 5987")
    func parameters() {
        let type = HeaderParameters("Multipart/Form-Data ; Boundary=\"a;b\\\"c\"; charset=UTF-8 ")
        #expect(type.value == "multipart/form-data")
        #expect(type["boundary"] == "a;b\"c")
        #expect(type["charset"] == "UTF-8")
        #expect(type["none"] == nil)
        let file = HeaderParameters("form-data; filename=\"C:\\dir\\x.txt\"")
        #expect(file["filename"] == "C:\\dir\\x.txt")
        #expect(HeaderParameters("a; filename=x; filename*=UTF-8''%e2%82%ac")["filename"] == "€")
        #expect(MultipartForm.boundary(ofContentType: "multipart/form-data; boundary=xyz") == "xyz")
        #expect(MultipartForm.boundary(ofContentType: "text/plain; boundary=xyz") == nil)
    }

    @Test("url-encoded forms and percent coding go both ways")
    func urlEncoded() {
        let items = URLEncodedForm.parse("a=1&b=%E2%82%AC+x&&c&=d&e==".utf8)
        #expect(items.map(\.name) == ["a", "b", "c", "", "e"])
        #expect(items.map(\.value) == ["1", "€ x", "", "d", "="])
        #expect(PercentCoding.encode("a b/€~") == "a%20b%2F%E2%82%AC~")
        #expect(PercentCoding.decode("%zz%4") == "%zz%4")
        #expect(PercentCoding.decode("a%20b+c") == "a b+c")
    }

    @Test("Accept-Encoding is read with weights and the wildcard")
    func acceptEncoding() {
        #expect(AcceptEncoding.allows("gzip", in: "br, GZIP;q=0.5"))
        #expect(!AcceptEncoding.allows("gzip", in: "gzip;q=0, *"))
        #expect(AcceptEncoding.allows("gzip", in: "*"))
        #expect(!AcceptEncoding.allows("gzip", in: "br"))
        #expect(!AcceptEncoding.allows("gzip", in: nil))
    }
}
