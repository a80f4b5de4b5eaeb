import JSON
import Testing

@testable import Engine

/// The expected answers are those of PocketBase 0.40.6.
@Suite("Validation of settings")
struct SettingsValidationTests {
    private static let required = #"{"code":"validation_required","message":"Cannot be blank."}"#
    private static let url = #"{"code":"validation_is_url","message":"Must be a valid URL."}"#
    private static let choice = #"{"code":"validation_in_invalid","message":"Must be a valid value."}"#
    private static let host = #"{"code":"validation_is_host","message":"Must be a valid IP address or DNS name."}"#
    private static let ip = #"{"code":"validation_invlaid_ip_or_subnet","message":"Invalid IP or CIDR subnet."}"#

    private static func min(_ value: Int) -> String {
        #"{"code":"validation_min_greater_equal_than_required","message":"Must be no less than \#(value).","#
            + #""params":{"threshold":\#(value)}}"#
    }
    private static let safe =
        #"{"code":"validation_max_less_equal_than_required","message":"Must be no greater than 9007199254740991.","#
        + #""params":{"threshold":9007199254740991}}"#
    private static func cron(_ message: String) -> String {
        #"{"backups":{"cron":{"code":"validation_invalid_cron","message":\#(JSON.string(message).serialized())}}}"#
    }
    private static func conflict(_ index: Int, _ label: String) -> String {
        #"{"rateLimits":{"rules":{"\#(index)":{"label":{"code":"validation_conflicting_rate_limit_rule","#
            + #""message":"Rate limit rule configuration with label \#(label) already exists or conflicts with another rule.","#
            + #""params":{"label":"\#(label)"}}}}}}"#
    }
    private static func rule(_ label: String, _ audience: String = "", duration: Int = 1, requests: Int = 1) -> String {
        #"{"label":"\#(label)","audience":"\#(audience)","duration":\#(duration),"maxRequests":\#(requests)}"#
    }
    private static func rules(_ rules: String...) -> String {
        #"{"rateLimits":{"rules":[\#(rules.joined(separator: ","))]}}"#
    }

    private func data(_ patch: String) throws -> String {
        let object = try #require(try JSONParser.parse(patch).objectValue)
        let failures = try Settings.defaults.applying(patch: object).validate()
        return FailureTree.nested(failures).json.serialized()
    }

    private static let cases: [(String, String)] = [
        (#"{}"#, #"{}"#),
        (
            #"{"meta":null}"#,
            #"{"meta":{"appName":\#(required),"appURL":\#(required),"senderAddress":\#(required),"senderName":\#(required)}}"#
        ),
        (
            ##"{"meta":{"accentColor":"#fff"}}"##,
            #"{"meta":{"accentColor":{"code":"validation_length_invalid","message":"The length must be exactly 7.","#
                + #""params":{"max":7,"min":7}}}}"#
        ),
        (
            ##"{"meta":{"accentColor":"#gggggg"}}"##,
            #"{"meta":{"accentColor":{"code":"validation_is_hex_color","message":"Must be a valid hexadecimal color code."}}}"#
        ),
        (#"{"meta":{"accentColor":""}}"#, "{}"),
        (#"{"meta":{"appName":"  "}}"#, "{}"),
        (
            #"{"meta":{"senderName":"\#(String(repeating: "é", count: 128))"}}"#,
            #"{"meta":{"senderName":{"code":"validation_length_out_of_range","message":"The length must be between 1 and 255.","#
                + #""params":{"max":255,"min":1}}}}"#
        ),
        (#"{"meta":{"appURL":"localhost"}}"#, #"{"meta":{"appURL":\#(url)}}"#),
        (
            #"{"meta":{"senderAddress":"a@localhost"}}"#,
            #"{"meta":{"senderAddress":{"code":"validation_is_email","message":"Must be a valid email address."}}}"#
        ),
        (#"{"smtp":{"host":"","port":0}}"#, "{}"),
        (#"{"smtp":{"enabled":true,"host":"","port":0}}"#, #"{"smtp":{"host":\#(required),"port":\#(required)}}"#),
        (#"{"smtp":{"host":"a b","localName":"x y"}}"#, #"{"smtp":{"host":\#(host),"localName":\#(host)}}"#),
        (#"{"smtp":{"port":-1}}"#, #"{"smtp":{"port":\#(min(0))}}"#),
        (#"{"smtp":{"port":70000}}"#, "{}"),
        (#"{"smtp":{"authMethod":"LOGIN"}}"#, "{}"),
        (#"{"smtp":{"authMethod":"plain"}}"#, #"{"smtp":{"authMethod":\#(choice)}}"#),
        (
            #"{"s3":{"enabled":true}}"#,
            #"{"s3":{"accessKey":\#(required),"bucket":\#(required),"endpoint":\#(required),"region":\#(required),"#
                + #""secret":\#(required)}}"#
        ),
        (#"{"s3":{"endpoint":"x"}}"#, #"{"s3":{"endpoint":\#(url)}}"#),
        (#"{"backups":{"s3":{"endpoint":"bad bad"}}}"#, #"{"backups":{"s3":{"endpoint":\#(url)}}}"#),
        (#"{"backups":{"cronMaxKeep":0}}"#, "{}"),
        (#"{"backups":{"cronMaxKeep":-1}}"#, #"{"backups":{"cronMaxKeep":\#(min(1))}}"#),
        (#"{"backups":{"cronMaxKeep":0,"cron":"@daily"}}"#, #"{"backups":{"cronMaxKeep":\#(required)}}"#),
        (
            #"{"backups":{"cron":"x"}}"#,
            cron("Invalid cron expression - must be a valid macro or to have exactly 5 space separated segments.")
        ),
        (#"{"backups":{"cron":"*/\"q * * * *"}}"#, cron("Strconv.Atoi: parsing \"\\\"q\": invalid syntax.")),
        (
            #"{"batch":{"enabled":true,"maxRequests":0,"timeout":0}}"#,
            #"{"batch":{"maxRequests":\#(required),"timeout":\#(required)}}"#
        ),
        (
            #"{"batch":{"maxRequests":-1,"timeout":-1,"maxBodySize":-1}}"#,
            #"{"batch":{"maxBodySize":\#(min(0)),"maxRequests":\#(min(0)),"timeout":\#(min(0))}}"#
        ),
        (
            #"{"logs":{"maxDays":-1,"minLevel":9007199254740992,"maxDataSize":9007199254740992}}"#,
            #"{"logs":{"maxDataSize":\#(safe),"maxDays":\#(min(0)),"minLevel":\#(safe)}}"#
        ),
        (#"{"logs":{"minLevel":-100,"maxDays":9007199254740991}}"#, "{}"),
        (#"{"superuserIPs":["x","","127.0.0.1"]}"#, #"{"superuserIPs":{"0":\#(ip),"1":\#(required)}}"#),
        (#"{"rateLimits":{"excludedIPs":["1.2.3.4/33"]}}"#, #"{"rateLimits":{"excludedIPs":{"0":\#(ip)}}}"#),
        (#"{"rateLimits":{"enabled":true,"rules":[]}}"#, #"{"rateLimits":{"rules":\#(required)}}"#),
        (#"{"rateLimits":{"rules":[]}}"#, "{}"),
        (
            rules(rule("", "x", duration: 0, requests: 0), rule("")),
            #"{"rateLimits":{"rules":{"0":{"audience":\#(choice),"duration":\#(required),"label":\#(required),"#
                + #""maxRequests":\#(required)},"1":{"label":\#(required)}}}}"#
        ),
        (
            rules(rule("a", duration: -1, requests: -1)),
            #"{"rateLimits":{"rules":{"0":{"duration":\#(min(1)),"maxRequests":\#(min(1))}}}}"#
        ),
        (
            rules(rule("a b")),
            #"{"rateLimits":{"rules":{"0":{"label":{"code":"validation_match_invalid","message":"Must be in a valid format."}}}}}"#
        ),
        (rules(rule("a"), rule("a")), conflict(1, "a")),
        (rules(rule("a"), rule("a", "@guest")), conflict(1, "a")),
        (rules(rule("a", "@guest"), rule("a")), conflict(1, "a")),
        (rules(rule("a", "@guest"), rule("a", "@auth")), "{}"),
        (rules(rule("a"), rule("ab")), "{}"),
        (rules(rule("a"), rule("b"), rule("a"), rule("b")), conflict(2, "a")),
        (rules(rule("a"), rule("a", duration: 0)), #"{"rateLimits":{"rules":{"1":{"duration":\#(required)}}}}"#),
        (#"{"trustedProxy":{"headers":["","x y"]}}"#, "{}"),
    ]

    @Test("each fault has PocketBase's code, message and place", arguments: cases)
    func faults(_ patch: String, _ expected: String) throws { #expect(try data(patch) == expected) }

    @Test(
        "cron expressions that PocketBase takes are valid",
        arguments: [
            "* * * * *", "0 0 * * *", "@daily", "@yearly", "@annually", "@monthly", "@weekly", "@midnight", "@hourly",
            "*/59 * * * *", "1-5/2,7 0 1 1 0-6", "+5 * * * *",
        ])
    func acceptsCron(_ text: String) { #expect(throws: Never.self) { try CronSchedule(text) } }

    @Test(
        "other cron expressions are refused in PocketBase's words",
        arguments: [
            ("60 * * * *", "invalid segment value - must be between the min and max of the segment"),
            ("* * 0 * *", "invalid segment value - must be between the min and max of the segment"),
            ("* * * * 7", "invalid segment value - must be between the min and max of the segment"),
            ("a * * * *", #"strconv.Atoi: parsing "a": invalid syntax"#),
            ("1,,2 * * * *", #"strconv.Atoi: parsing "": invalid syntax"#),
            ("-1 * * * *", #"strconv.Atoi: parsing "": invalid syntax"#),
            ("1-b * * * *", #"strconv.Atoi: parsing "b": invalid syntax"#),
            ("99999999999999999999 * * * *", #"strconv.Atoi: parsing "99999999999999999999": value out of range"#),
            ("*/60 * * * *", "invalid segment step boundary - the step must be between 1 and the 59"),
            ("*/2/3 * * * *", "invalid segment step format - must be in the format */n or 1-30/n"),
            ("1/2 * * * *", "invalid segment step - step > 1 could be used only with the wildcard or range format"),
            ("1-70 * * * *", "invalid segment range maximum - must be between 1 and 59"),
            ("70-80 * * * *", "invalid segment range minimum - must be between 0 and 59"),
            ("5-1 * * * *", "invalid segment range maximum - must be between 5 and 59"),
            ("1-2-3 * * * *", "invalid segment range format - the range must have 1 or 2 parts"),
        ])
    func refusesCron(_ text: String, _ message: String) {
        #expect(throws: CronSchedule.Failure(message: message)) { try CronSchedule(text) }
    }

    @Test("a job is due when all five fields have the time")
    func due() throws {
        let schedule = try CronSchedule("*/15 3 1-7 * 0")
        #expect(schedule.isDue(minute: 45, hour: 3, day: 2, month: 12, weekday: 0))
        #expect(!schedule.isDue(minute: 45, hour: 3, day: 2, month: 12, weekday: 1))
        #expect(!schedule.isDue(minute: 44, hour: 3, day: 2, month: 12, weekday: 0))
        #expect(!schedule.isDue(minute: 45, hour: 3, day: 8, month: 12, weekday: 0))
    }
}
