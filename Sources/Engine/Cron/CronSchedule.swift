import Glibc

/// When a job is due: a cron expression of five fields (minute, hour, day, month, day of the week) or a macro.
///
/// A field is `*`, a number, a range `1-30`, a step `*/2` or `1-30/2`, or a list of these. A time is due when all five
/// fields have it, unlike in other crons where either of the days is enough.
package struct CronSchedule: Sendable, Equatable {
    /// Why a text is no cron expression, in PocketBase's words.
    package struct Failure: Error, Sendable, Equatable {
        package var message: String
    }

    /// The five fields as they were written, those of a macro in its place.
    package let expression: String
    /// One bit for each value.
    private let fields: [UInt64]

    private static let macros = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    private static let bounds = [0...59, 0...23, 1...31, 1...12, 0...6]

    package init(_ expression: String) throws(Failure) {
        let expression = Self.macros[expression] ?? expression
        let segments = expression.split(separator: " ", omittingEmptySubsequences: false)
        guard segments.count == 5 else {
            throw Failure(
                message: "invalid cron expression - must be a valid macro or to have exactly 5 space separated segments"
            )
        }
        var fields: [UInt64] = []
        for (segment, bounds) in zip(segments, Self.bounds) { fields.append(try Self.field(segment, bounds)) }
        self.expression = expression
        self.fields = fields
    }

    /// Whether the job is due in this minute.
    /// - Parameter weekday: 0 for Sunday.
    package func isDue(minute: Int, hour: Int, day: Int, month: Int, weekday: Int) -> Bool {
        zip(fields, [minute, hour, day, month, weekday]).allSatisfy { $0 >> UInt64($1) & 1 == 1 }
    }

    /// Whether the job is due in a minute of UTC.
    /// - Parameter minute: counted from 1970.
    package func isDue(inMinute minute: Int64) -> Bool {
        var seconds = time_t(minute * 60)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return isDue(
            minute: Int(parts.tm_min), hour: Int(parts.tm_hour), day: Int(parts.tm_mday), month: Int(parts.tm_mon) + 1,
            weekday: Int(parts.tm_wday))
    }

    private static func field(_ segment: Substring, _ bounds: ClosedRange<Int>) throws(Failure) -> UInt64 {
        var bits: UInt64 = 0
        for part in segment.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = part.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count <= 2 else {
                throw Failure(message: "invalid segment step format - must be in the format */n or 1-30/n")
            }
            var step = 1
            if parts.count == 2 {
                step = try integer(parts[1])
                guard step >= 1, step <= bounds.upperBound else {
                    throw Failure(
                        message:
                            "invalid segment step boundary - the step must be between 1 and the \(bounds.upperBound)")
                }
            }
            let range = try range(parts[0], bounds, hasStep: step != 1)
            for value in stride(from: range.lowerBound, through: range.upperBound, by: step) {
                bits |= 1 << UInt64(value)
            }
        }
        return bits
    }

    private static func range(
        _ text: Substring, _ bounds: ClosedRange<Int>, hasStep: Bool
    ) throws(Failure) -> ClosedRange<Int> {
        if text == "*" { return bounds }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        switch ends.count {
        case 1:
            if hasStep {
                throw Failure(
                    message: "invalid segment step - step > 1 could be used only with the wildcard or range format")
            }
            let value = try integer(ends[0])
            guard bounds.contains(value) else {
                throw Failure(message: "invalid segment value - must be between the min and max of the segment")
            }
            return value...value
        case 2:
            let low = try integer(ends[0])
            guard bounds.contains(low) else {
                throw Failure(
                    message: "invalid segment range minimum - must be between "
                        + "\(bounds.lowerBound) and \(bounds.upperBound)")
            }
            let high = try integer(ends[1])
            guard high >= low, high <= bounds.upperBound else {
                throw Failure(
                    message: "invalid segment range maximum - must be between \(low) and \(bounds.upperBound)")
            }
            return low...high
        default:
            throw Failure(message: "invalid segment range format - the range must have 1 or 2 parts")
        }
    }

    /// A number, with the words of Go's `strconv.Atoi` where there is none.
    private static func integer(_ text: Substring) throws(Failure) -> Int {
        let digits = text.first == "+" || text.first == "-" ? text.dropFirst() : text
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw Failure(message: "strconv.Atoi: parsing \(quoted(text)): invalid syntax")
        }
        guard let value = Int(text) else {
            throw Failure(message: "strconv.Atoi: parsing \(quoted(text)): value out of range")
        }
        return value
    }

    private static func quoted(_ text: Substring) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                result += scalar.value < 0x10 ? "\\x0" : "\\x"
                result += String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
