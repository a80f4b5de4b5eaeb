import Glibc

/// The moments in what S3 services answer, in milliseconds since 1970; 0 for what is none.
enum S3Dates {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    static func header(_ text: String) -> Int64 {
        let words = text.split(whereSeparator: { $0 == " " || $0 == ":" || $0 == "," })
        guard words.count == 8, let day = Int32(words[1]), let month = months.firstIndex(of: String(words[2])),
            let year = Int32(words[3]), let hour = Int32(words[4]), let minute = Int32(words[5]),
            let second = Int32(words[6])
        else { return 0 }
        return milliseconds(year, Int32(month) + 1, day, hour, minute, second)
    }

    /// `1994-11-06T08:49:37.123Z`
    static func document(_ text: String) -> Int64 {
        let parts = text.split { "-T:.Z".contains($0) }
        guard parts.count >= 6, let year = Int32(parts[0]), let month = Int32(parts[1]), let day = Int32(parts[2]),
            let hour = Int32(parts[3]), let minute = Int32(parts[4]), let second = Int32(parts[5])
        else { return 0 }
        var fraction: Int64 = 0
        if parts.count > 6 {
            let digits = parts[6].prefix(3)
            fraction = Int64(digits + String(repeating: "0", count: 3 - digits.count)) ?? 0
        }
        return milliseconds(year, month, day, hour, minute, second) + fraction
    }

    private static func milliseconds(
        _ year: Int32, _ month: Int32, _ day: Int32, _ hour: Int32, _ minute: Int32, _ second: Int32
    ) -> Int64 {
        guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second)
        else { return 0 }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, month - 1, day)
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (hour, minute, second)
        return Int64(timegm(&parts)) * 1000
    }
}
