extension Cast {
    /// The date of a value: text in one of the forms that PocketBase takes; everything else is no date.
    public static func date(_ value: BorrowedValue) -> DateTime {
        value.isText ? DateTime(parsing: value.utf8) : .zero
    }

    /// A date in the form in which it is stored.
    public static func normalisedDate(_ value: BorrowedValue) -> Normalised {
        if value.isText, value.utf8.isEmpty || DateTime.isStoredForm(value.utf8) { return .unchanged }
        return .changed(.text(date(value).text))
    }
}

extension DateTime {
    /// The date that a text says; zero when it says none.
    public init(parsing text: String) {
        var text = text
        self = text.withUTF8 { DateTime(parsing: $0) }
    }

    public init(parsing utf8: UnsafeBufferPointer<UInt8>) {
        self = DateTime.parse(utf8) ?? .zero
    }

    private static func parse(_ utf8: UnsafeBufferPointer<UInt8>) -> DateTime? {
        // No form is longer, but fractions may be; a limit keeps hostile text cheap.
        guard !utf8.isEmpty, utf8.count <= 100 else { return nil }
        for layout in Layout.all {
            var reader = LayoutReader(bytes: utf8)
            if let date = reader.read(layout) { return date }
        }
        return nil
    }
}

/// How a date may be written, as a series of parts.
private struct Layout: Sendable {
    enum Part: Sendable {
        case literal(StaticString)
        case year, shortYear, month, monthName, day, paddedDay, weekday, longWeekday
        case hour, hour12, minute, second, halfDay
        /// A point and exactly so many digits.
        case fraction(Int)
        /// A point and digits, or nothing.
        case anyFraction
        /// "Z", or an offset as in `zone`.
        case zuluOrZone(colon: Bool)
        case zone(colon: Bool)
        case zoneName
    }

    let parts: [Part]

    init(_ parts: Part...) { self.parts = parts }

    /// PocketBase's own form first, then those that spf13/cast tries, in its order.
    static let all: [Layout] = [
        Layout(.year, "-", .month, "-", .day, " ", .hour, ":", .minute, ":", .second, .fraction(3), "Z"),
        Layout(.year, "-", .month, "-", .day),
        Layout(.year, "-", .month, "-", .day, "T", .hour, ":", .minute, ":", .second, .zuluOrZone(colon: true)),
        Layout(.year, "-", .month, "-", .day, "T", .hour, ":", .minute, ":", .second),
        Layout(
            .weekday, ", ", .day, " ", .monthName, " ", .year, " ", .hour, ":", .minute, ":", .second, " ",
            .zone(colon: false)),
        Layout(
            .weekday, ", ", .day, " ", .monthName, " ", .year, " ", .hour, ":", .minute, ":", .second, " ", .zoneName),
        Layout(.day, " ", .monthName, " ", .shortYear, " ", .hour, ":", .minute, " ", .zone(colon: false)),
        Layout(.day, " ", .monthName, " ", .shortYear, " ", .hour, ":", .minute, " ", .zoneName),
        Layout(
            .longWeekday, ", ", .day, "-", .monthName, "-", .shortYear, " ", .hour, ":", .minute, ":", .second, " ",
            .zoneName),
        Layout(
            .year, "-", .month, "-", .day, " ", .hour, ":", .minute, ":", .second, .anyFraction, " ",
            .zone(colon: false), " ", .zoneName),
        Layout(.year, "-", .month, "-", .day, "T", .hour, ":", .minute, ":", .second, .zone(colon: false)),
        Layout(.year, "-", .month, "-", .day, " ", .hour, ":", .minute, ":", .second, .zuluOrZone(colon: false)),
        Layout(.year, "-", .month, "-", .day, " ", .hour, ":", .minute, ":", .second),
        Layout(.weekday, " ", .monthName, " ", .paddedDay, " ", .hour, ":", .minute, ":", .second, " ", .year),
        Layout(
            .weekday, " ", .monthName, " ", .paddedDay, " ", .hour, ":", .minute, ":", .second, " ", .zoneName, " ",
            .year),
        Layout(
            .weekday, " ", .monthName, " ", .day, " ", .hour, ":", .minute, ":", .second, " ", .zone(colon: false),
            " ", .year),
        Layout(.year, "-", .month, "-", .day, " ", .hour, ":", .minute, ":", .second, .zuluOrZone(colon: true)),
        Layout(.day, " ", .monthName, " ", .year),
        Layout(.year, "-", .month, "-", .day, " ", .hour, ":", .minute, ":", .second, " ", .zone(colon: true)),
        Layout(.year, "-", .month, "-", .day, " ", .hour, ":", .minute, ":", .second, " ", .zone(colon: false)),
        Layout(.hour12, ":", .minute, .halfDay),
        Layout(.monthName, " ", .paddedDay, " ", .hour, ":", .minute, ":", .second),
    ]
}

extension Layout.Part: ExpressibleByStringLiteral {
    init(stringLiteral value: StaticString) { self = .literal(value) }
}

/// Reads a date by a layout, with the liberties that Go's time.Parse takes: one digit for an hour, a fraction after
/// seconds where the layout has none, any number of spaces for one.
private struct LayoutReader {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func read(_ layout: Layout) -> DateTime? {
        var year = 0
        var month = 1
        var day = 1
        var hour = 0
        var minute = 0
        var second = 0
        var nanoseconds = 0
        var isAfternoon = false
        var isForenoon = false
        // Seconds to take away for UTC.
        var offset = 0
        var hasOffset = false

        for (index, part) in layout.parts.enumerated() {
            switch part {
            case .literal(let literal):
                guard skip(literal) else { return nil }
            case .year:
                guard let value = digits(4) else { return nil }
                year = value
            case .shortYear:
                guard let value = digits(2) else { return nil }
                year = value >= 69 ? value + 1900 : value + 2000
            case .month:
                guard let value = digits(2), value >= 1, value <= 12 else { return nil }
                month = value
            case .monthName:
                guard let value = name(Self.months) else { return nil }
                month = value + 1
            case .day:
                guard let value = digits(2) else { return nil }
                day = value
            case .paddedDay:
                if peek == 0x20 { position += 1 }
                guard let value = oneOrTwoDigits() else { return nil }
                day = value
            case .weekday:
                guard name(Self.weekdays) != nil else { return nil }
            case .longWeekday:
                guard name(Self.longWeekdays) != nil else { return nil }
            case .hour:
                guard let value = oneOrTwoDigits(), value < 24 else { return nil }
                hour = value
            case .hour12:
                guard let value = oneOrTwoDigits(), value <= 12 else { return nil }
                hour = value
            case .minute:
                guard let value = digits(2), value < 60 else { return nil }
                minute = value
            case .second:
                guard let value = digits(2), value < 60 else { return nil }
                second = value
                if index + 1 < layout.parts.count, case .fraction = layout.parts[index + 1] { break }
                if index + 1 < layout.parts.count, case .anyFraction = layout.parts[index + 1] { break }
                nanoseconds = optionalFraction()
            case .fraction(let count):
                guard isPoint(position), position + count < bytes.count,
                    (1...count).allSatisfy({ isDigit(position + $0) })
                else { return nil }
                nanoseconds = fraction(count)
            case .anyFraction:
                nanoseconds = optionalFraction()
            case .halfDay:
                guard position + 2 <= bytes.count, bytes[position + 1] == 0x4D else { return nil }
                switch bytes[position] {
                case 0x50: isAfternoon = true
                case 0x41: isForenoon = true
                default: return nil
                }
                position += 2
            case .zuluOrZone(let colon):
                if peek == 0x5A {
                    position += 1
                } else {
                    guard let value = zone(colon: colon) else { return nil }
                    offset = value
                }
            case .zone(let colon):
                guard let value = zone(colon: colon) else { return nil }
                offset = value
                hasOffset = true
            case .zoneName:
                guard let value = zoneName() else { return nil }
                // A numeric zone before it wins. "GMT+3" shifts the other way round, as it does in PocketBase.
                if !hasOffset { offset = -value }
            }
        }
        guard position == bytes.count else { return nil }
        if isAfternoon, hour < 12 { hour += 12 }
        if isForenoon, hour == 12 { hour = 0 }
        guard day >= 1, day <= DateTime.days(inMonth: month, of: year) else { return nil }
        return DateTime(
            year: year, month: month, day: day, hour: hour, minute: minute, second: second, nanoseconds: nanoseconds
        ).adding(seconds: -offset)
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func isDigit(_ index: Int) -> Bool {
        index < bytes.count && bytes[index] >= 0x30 && bytes[index] <= 0x39
    }

    private func isPoint(_ index: Int) -> Bool {
        index < bytes.count && (bytes[index] == 0x2E || bytes[index] == 0x2C)
    }

    private mutating func skip(_ literal: StaticString) -> Bool {
        let expected = UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
        for byte in expected {
            if byte == 0x20 {
                if let peek, peek != 0x20 { return false }
                while peek == 0x20 { position += 1 }
            } else {
                guard peek == byte else { return false }
                position += 1
            }
        }
        return true
    }

    private mutating func digits(_ count: Int) -> Int? {
        var result = 0
        for _ in 0..<count {
            guard isDigit(position) else { return nil }
            result = result * 10 + Int(bytes[position] - 0x30)
            position += 1
        }
        return result
    }

    private mutating func oneOrTwoDigits() -> Int? {
        guard isDigit(position) else { return nil }
        return isDigit(position + 1) ? digits(2) : digits(1)
    }

    private mutating func optionalFraction() -> Int {
        guard isPoint(position), isDigit(position + 1) else { return 0 }
        var count = 1
        while isDigit(position + count + 1) { count += 1 }
        return fraction(count)
    }

    /// Nanoseconds out of a point and digits; digits after the ninth do not count.
    private mutating func fraction(_ count: Int) -> Int {
        var result = 0
        for index in 1...9 {
            result = result * 10 + (index <= count ? Int(bytes[position + index] - 0x30) : 0)
        }
        position += count + 1
        return result
    }

    private mutating func name(_ names: [StaticString]) -> Int? {
        for (index, name) in names.enumerated() {
            let count = name.utf8CodeUnitCount
            guard position + count <= bytes.count else { continue }
            let matches = (0..<count).allSatisfy { bytes[position + $0] | 0x20 == name.utf8Start[$0] | 0x20 }
            if matches {
                position += count
                return index
            }
        }
        return nil
    }

    private mutating func zone(colon: Bool) -> Int? {
        guard let sign = peek, sign == 0x2B || sign == 0x2D else { return nil }
        position += 1
        guard let hours = digits(2) else { return nil }
        if colon {
            guard peek == 0x3A else { return nil }
            position += 1
        }
        // 24 and 60 are taken: some people write them.
        guard let minutes = digits(2), hours <= 24, minutes <= 60 else { return nil }
        let value = (hours * 60 + minutes) * 60
        return sign == 0x2D ? -value : value
    }

    /// An abbreviation such as "CEST", whose offset nobody knows, "GMT+3" or "+03".
    private mutating func zoneName() -> Int? {
        let rest = bytes[position...]
        if rest.starts(with: "UTC".utf8) {
            position += 3
            return 0
        }
        if rest.starts(with: "ChST".utf8) || rest.starts(with: "MeST".utf8) {
            position += 4
            return 0
        }
        if rest.starts(with: "GMT".utf8) {
            position += 3
            return signedHours().map { $0 * 3600 } ?? 0
        }
        guard rest.count >= 3 else { return nil }
        if peek == 0x2B || peek == 0x2D { return signedHours() == nil ? nil : 0 }
        let letters = rest.prefix(6).prefix { $0 >= 0x41 && $0 <= 0x5A }
        switch letters.count {
        case 3: break
        case 4: guard letters.last == 0x54 || rest.starts(with: "WITA".utf8) else { return nil }
        case 5: guard letters.last == 0x54 else { return nil }
        default: return nil
        }
        position += letters.count
        return 0
    }

    private mutating func signedHours() -> Int? {
        guard let sign = peek, sign == 0x2B || sign == 0x2D, isDigit(position + 1) else { return nil }
        var end = position + 1
        var hours = 0
        while isDigit(end), hours <= 23 {
            hours = hours * 10 + Int(bytes[end] - 0x30)
            end += 1
        }
        guard hours <= 23 else { return nil }
        position = end
        return sign == 0x2D ? -hours : hours
    }

    private static let months: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let weekdays: [StaticString] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let longWeekdays: [StaticString] = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]
}
