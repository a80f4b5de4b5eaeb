/// Go's ServeMux sends requests whose path has `//`, `/./` or `/../` to the clean path.
enum PathCleaning {
    /// A quick look whether `path` may need cleaning.
    static func isClean(_ path: UnsafeRawBufferPointer) -> Bool {
        var afterSlash = false
        for index in 0..<path.count {
            let byte = path[index]
            if afterSlash {
                if byte == UInt8(ascii: "/") { return false }
                if byte == UInt8(ascii: "."), isDotSegment(path, index) { return false }
            }
            afterSlash = byte == UInt8(ascii: "/")
        }
        return true
    }

    /// The path without empty, `.` and `..` segments; a trailing slash stays.
    static func clean(_ path: some Collection<UInt8>) -> [UInt8] {
        var kept: [ArraySlice<UInt8>] = []
        let parts = Array(path).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for part in parts {
            if part.elementsEqual("..".utf8) {
                _ = kept.popLast()
            } else if !part.isEmpty, !part.elementsEqual(".".utf8) {
                kept.append(part)
            }
        }
        var output: [UInt8] = []
        for part in kept {
            output.append(UInt8(ascii: "/"))
            output += part
        }
        if output.isEmpty || (parts.last?.isEmpty ?? false) { output.append(UInt8(ascii: "/")) }
        return output
    }

    /// The answer with which Go's ServeMux redirects.
    static func redirect(to path: [UInt8], query: String, method: HTTPMethod) -> Response {
        let location = String(decoding: path, as: UTF8.self) + (query.isEmpty ? "" : "?" + query)
        guard method == .get || method == .head else {
            return Response(status: 307, headers: [("Location", location)])
        }
        return Response(
            status: 307,
            headers: [("Content-Type", "text/html; charset=utf-8"), ("Location", location)],
            body: .bytes(Array("<a href=\"\(escapeHTML(location))\">Temporary Redirect</a>.\n\n".utf8))
        )
    }

    private static func escapeHTML(_ text: String) -> String {
        var output = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": output += "&amp;"
            case "<": output += "&lt;"
            case ">": output += "&gt;"
            case "\"": output += "&#34;"
            case "'": output += "&#39;"
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output
    }

    private static func isDotSegment(_ path: UnsafeRawBufferPointer, _ index: Int) -> Bool {
        var end = index + 1
        if end < path.count, path[end] == UInt8(ascii: ".") { end += 1 }
        return end == path.count || path[end] == UInt8(ascii: "/")
    }
}
