import Engine
import Store
import Testing

@Suite struct QueryMacroTests {
    /// 2024-02-29 13:14:15.678, a Thursday.
    static let leapDay: Int64 = 1_709_212_455_678

    @Test(
        "macros tell the parts of the time",
        arguments: [
            ("@now", .text("2024-02-29 13:14:15.678Z")), ("@yesterday", .text("2024-02-28 13:14:15.678Z")),
            ("@tomorrow", .text("2024-03-01 13:14:15.678Z")), ("@second", 15), ("@minute", 14), ("@hour", 13),
            ("@day", 29),
            ("@month", 2), ("@weekday", 4), ("@year", 2024), ("@todayStart", .text("2024-02-29 00:00:00.000Z")),
            ("@todayEnd", .text("2024-02-29 23:59:59.999Z")), ("@monthStart", .text("2024-02-01 00:00:00.000Z")),
            ("@monthEnd", .text("2024-02-29 23:59:59.999Z")), ("@yearStart", .text("2024-01-01 00:00:00.000Z")),
            ("@yearEnd", .text("2024-12-31 23:59:59.999Z")),
        ] as [(String, SQLValue)])
    func parts(_ name: String, _ value: SQLValue) throws {
        #expect(try #require(FilterMacro(rawValue: name)).value(at: Self.leapDay) == value)
    }

    @Test("the year turns, and time before 1970 counts too")
    func edges() {
        let newYear: Int64 = 1_735_689_599_999  // 2024-12-31 23:59:59.999
        #expect(FilterMacro.tomorrow.value(at: newYear) == "2025-01-01 23:59:59.999Z")
        #expect(FilterMacro.monthEnd.value(at: newYear) == "2024-12-31 23:59:59.999Z")
        #expect(FilterMacro.now.value(at: -1) == "1969-12-31 23:59:59.999Z")
        #expect(FilterMacro.weekday.value(at: -1) == 3)
        #expect(FilterMacro.weekday.value(at: 3 * 86_400_000) == 0)
    }

    @Test("a plan asks for the time when it runs, once for all its macros")
    func late() throws {
        let fixture = try QueryFixture()
        let plan = try fixture.plan(filter: "title < @now || title > @now || title ~ @year")
        let values = plan.values(for: RequestInfo(), extra: [1, 0], at: Self.leapDay)
        #expect(values == ["2024-02-29 13:14:15.678Z", "2024-02-29 13:14:15.678Z", "%2024%", 1, 0])
        let now = plan.values(for: RequestInfo(), extra: [1, 0])
        #expect(now[0] == now[1])
        #expect(now[0] != values[0])
    }
}
