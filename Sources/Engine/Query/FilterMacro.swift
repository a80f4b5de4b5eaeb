package import Store

/// A name that stands for a part of the current time, UTC.
package enum FilterMacro: String, Sendable, Equatable {
    case now = "@now"
    case yesterday = "@yesterday"
    case tomorrow = "@tomorrow"
    case second = "@second"
    case minute = "@minute"
    case hour = "@hour"
    case day = "@day"
    case month = "@month"
    case weekday = "@weekday"
    case year = "@year"
    case todayStart = "@todayStart"
    case todayEnd = "@todayEnd"
    case monthStart = "@monthStart"
    case monthEnd = "@monthEnd"
    case yearStart = "@yearStart"
    case yearEnd = "@yearEnd"

    /// Whether the value is another one within a second.
    var isOfTheMoment: Bool {
        switch self {
        case .now, .yesterday, .tomorrow, .second: true
        case .minute, .hour, .day, .month, .weekday, .year: false
        case .todayStart, .todayEnd, .monthStart, .monthEnd, .yearStart, .yearEnd: false
        }
    }

    /// The macro's value at a time.
    /// - Parameter milliseconds: since 1970, UTC.
    package func value(at milliseconds: Int64) -> SQLValue {
        let days = Self.floorDivide(milliseconds, 86_400_000)
        let time = Int(milliseconds - days * 86_400_000)
        let (year, month, day) = Self.date(ofDay: days)
        func text(_ days: Int64, _ time: Int) -> SQLValue {
            .text(Timestamp.format(seconds: days * 86_400 + Int64(time / 1000), milliseconds: time % 1000))
        }
        let lastMoment = 86_399_999
        switch self {
        case .now: return text(days, time)
        case .yesterday: return text(days - 1, time)
        case .tomorrow: return text(days + 1, time)
        case .second: return .integer(Int64(time / 1000 % 60))
        case .minute: return .integer(Int64(time / 60_000 % 60))
        case .hour: return .integer(Int64(time / 3_600_000))
        case .day: return .integer(day)
        case .month: return .integer(month)
        // 1970-01-01 was a Thursday; Sunday is 0.
        case .weekday: return .integer(days + 4 - Self.floorDivide(days + 4, 7) * 7)
        case .year: return .integer(year)
        case .todayStart: return text(days, 0)
        case .todayEnd: return text(days, lastMoment)
        case .monthStart: return text(days - day + 1, 0)
        case .monthEnd:
            let next = month == 12 ? Self.day(year + 1, 1, 1) : Self.day(year, month + 1, 1)
            return text(next - 1, lastMoment)
        case .yearStart: return text(Self.day(year, 1, 1), 0)
        case .yearEnd: return text(Self.day(year, 12, 31), lastMoment)
        }
    }

    private static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
        value >= 0 ? value / by : (value - by + 1) / by
    }

    // The calendar is that of Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".

    /// The day since 1970 of a date.
    private static func day(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = floorDivide(year, 400)
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(ofDay days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
