/// Reads the times that requests give for a collection's `created` and `updated`.
enum DateText {
    /// The same time in PocketBase's form; empty when the text is no time that is understood.
    static func normalise(_ text: String) -> String {
        var reader = Reader(bytes: Array(text.utf8))
        guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
            let day = reader.number(2), (1...12).contains(month), (1...days(year, month)).contains(day)
        else { return "" }
        var clock = (hour: 0, minute: 0, second: 0, milliseconds: 0, offset: 0)
        if !reader.isAtEnd {
            guard reader.skip(" ") || reader.skip("T"), let hour = reader.number(2), reader.skip(":"),
                let minute = reader.number(2), reader.skip(":"), let second = reader.number(2),
                hour < 24, minute < 60, second < 60
            else { return "" }
            clock = (hour, minute, second, 0, 0)
            if reader.skip(".") {
                guard let fraction = reader.milliseconds() else { return "" }
                clock.milliseconds = fraction
            }
            guard let offset = reader.offset() else { return "" }
            clock.offset = offset
        }
        let seconds =
            Int64(daysSince1970(year, month, day)) * 86400
            + Int64(clock.hour * 3600 + clock.minute * 60 + clock.second - clock.offset)
        return Timestamp.format(seconds: seconds, milliseconds: clock.milliseconds)
    }

    private static func days(_ year: Int, _ month: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        mutating func number(_ digits: Int) -> Int? {
            guard position + digits <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[position..<position + digits] {
                guard byte >= 48, byte <= 57 else { return nil }
                value = value * 10 + Int(byte - 48)
            }
            position += digits
            return value
        }

        mutating func milliseconds() -> Int? {
            let start = position
            var value = 0
            while position < bytes.count, bytes[position] >= 48, bytes[position] <= 57 {
                if position - start < 3 { value = value * 10 + Int(bytes[position] - 48) }
                position += 1
            }
            guard position > start else { return nil }
            for _ in min(position - start, 3)..<3 { value *= 10 }
            return value
        }

        /// The distance from UTC in seconds: none, `Z`, `+02:00` or `+0200`.
        mutating func offset() -> Int? {
            if isAtEnd { return 0 }
            if skip("Z") { return isAtEnd ? 0 : nil }
            let sign = skip("+") ? 1 : skip("-") ? -1 : 0
            guard sign != 0, let hours = number(2) else { return nil }
            _ = skip(":")
            guard let minutes = number(2), isAtEnd else { return nil }
            return sign * (hours * 3600 + minutes * 60)
        }
    }
}
