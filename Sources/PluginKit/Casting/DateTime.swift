internal import Glibc

/// A moment in UTC, kept to the nanosecond and written to the millisecond, as PocketBase stores dates.
public struct DateTime: Sendable, Equatable, Comparable {
    /// Seconds since 1970.
    public let seconds: Int64
    public let nanoseconds: Int32

    public init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// The beginning of the year 1, which counts as no date at all.
    public static let zero = DateTime(seconds: -62_135_596_800)

    public var isZero: Bool { self == .zero }

    /// The system's clock.
    public static func now() -> DateTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return DateTime(seconds: Int64(time.tv_sec), nanoseconds: Int32(time.tv_nsec))
    }

    public static func < (a: DateTime, b: DateTime) -> Bool {
        a.seconds == b.seconds ? a.nanoseconds < b.nanoseconds : a.seconds < b.seconds
    }

    init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, nanoseconds: Int) {
        let days = Int64(DateTime.days(year: year, month: month, day: day))
        seconds = days * 86400 + Int64(hour * 3600 + minute * 60 + second)
        self.nanoseconds = Int32(nanoseconds)
    }

    func adding(seconds more: Int) -> DateTime {
        DateTime(seconds: seconds + Int64(more), nanoseconds: nanoseconds)
    }

    // MARK: Text

    /// `2006-01-02 15:04:05.000Z`, or nothing for the zero date.
    public var text: String {
        if isZero { return "" }
        let parts = civil
        return String(unsafeUninitializedCapacity: 40) { buffer in
            var position = 0
            func put(_ byte: UInt8) {
                buffer[position] = byte
                position += 1
            }
            func put(_ value: Int, width: Int) {
                var divisor = 1
                for _ in 1..<width { divisor *= 10 }
                while value / divisor >= 10 { divisor *= 10 }
                while divisor > 0 {
                    put(UInt8(0x30 + value / divisor % 10))
                    divisor /= 10
                }
            }
            if parts.year < 0 { put(0x2D) }
            put(abs(parts.year), width: 4)
            put(0x2D)
            put(parts.month, width: 2)
            put(0x2D)
            put(parts.day, width: 2)
            put(0x20)
            put(parts.second / 3600, width: 2)
            put(0x3A)
            put(parts.second / 60 % 60, width: 2)
            put(0x3A)
            put(parts.second % 60, width: 2)
            put(0x2E)
            put(Int(nanoseconds) / 1_000_000, width: 3)
            put(0x5A)
            return position
        }
    }

    /// The text with all of its fraction and without trailing zeros, as Go prints a time: `separator` between date and
    /// time, `zone` at the end.
    public func goText(separator: String, zone: String) -> String {
        var whole = isZero ? "0001-01-01 00:00:00.000Z" : text
        whole.removeLast(5)
        var fraction = ""
        if nanoseconds > 0 {
            let digits = String(nanoseconds)
            fraction = String(repeating: "0", count: 9 - digits.count) + digits
            while fraction.hasSuffix("0") { fraction.removeLast() }
            fraction = "." + fraction
        }
        return whole.split(separator: " ").joined(separator: separator) + fraction + zone
    }

    /// Whether bytes are a date in the form in which dates are stored, so that nothing need be changed.
    public static func isStoredForm(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
        guard utf8.count == 24, utf8[4] == 0x2D, utf8[7] == 0x2D, utf8[10] == 0x20, utf8[13] == 0x3A,
            utf8[16] == 0x3A, utf8[19] == 0x2E, utf8[23] == 0x5A
        else { return false }
        func number(_ from: Int, _ count: Int) -> Int? {
            var result = 0
            for position in from..<from + count {
                let digit = Int(utf8[position]) - 0x30
                guard digit >= 0, digit <= 9 else { return nil }
                result = result * 10 + digit
            }
            return result
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2), let fraction = number(20, 3),
            month >= 1, month <= 12, day >= 1, day <= days(inMonth: month, of: year), hour < 24, minute < 60,
            second < 60
        else { return false }
        // The zero date is stored as nothing.
        return !(year == 1 && month == 1 && day == 1 && hour + minute + second + fraction == 0)
    }

    // MARK: Calendar

    /// Days since 1970 of a day in the proleptic Gregorian calendar.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        // Years begin in March here, so that the leap day is the last one; 400 years have 146,097 days.
        let shifted = month > 2 ? year : year - 1
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Year, month, day and the second of the day.
    private var civil: (year: Int, month: Int, day: Int, second: Int) {
        let total = Int(seconds)
        let second = (total % 86400 + 86400) % 86400
        let shifted = (total - second) / 86400 + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        return (
            yearOfEra + era * 400 + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9,
            dayOfYear - (153 * month + 2) / 5 + 1, second
        )
    }

    static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
