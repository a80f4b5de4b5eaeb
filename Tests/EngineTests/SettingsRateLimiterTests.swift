import Testing

@testable import Engine

@Suite("Rate limits")
struct SettingsRateLimiterTests {
    private func limiter(
        _ rules: [Settings.RateLimitRule], excluded: [String] = [], capacity: Int = 1000
    ) -> RateLimiter {
        RateLimiter(.init(rules: rules, excludedIPs: excluded, enabled: true), capacity: capacity)
    }

    /// How many of ten requests go through.
    private func passed(
        _ limiter: RateLimiter, _ path: String, method: String = "GET", tags: [String] = [], isGuest: Bool = true,
        ip: String = "1.1.1.1", scope: String = "", seconds: Int64 = 100
    ) -> Int {
        (0..<10).count { _ in
            limiter.check(
                tags: tags, path: path, method: method, isGuest: isGuest, ip: ip, scope: scope, seconds: seconds)
        }
    }

    private func rule(_ label: String, _ requests: Int, audience: String = "", duration: Int = 2)
        -> Settings.RateLimitRule
    {
        .init(label: label, audience: audience, duration: duration, maxRequests: requests)
    }

    @Test("limits that are off let everything through")
    func off() {
        let limiter = RateLimiter(.init(rules: [rule("/api/", 1)], enabled: false))
        #expect(passed(limiter, "/api/health") == 10)
        #expect(limiter.count == 0)
    }

    @Test("a window starts with its first request and ends after the rule's seconds")
    func windows() {
        let limiter = limiter([rule("/api/", 3)])
        #expect(passed(limiter, "/api/health", seconds: 100) == 3)
        #expect(passed(limiter, "/api/health", seconds: 101) == 0)
        #expect(passed(limiter, "/api/health", seconds: 102) == 3)
        #expect(passed(limiter, "/api/health", seconds: 103) == 0)
    }

    @Test("each client and each scope counts for itself")
    func counters() {
        let limiter = limiter([rule("/api/", 3)])
        #expect(passed(limiter, "/api/health") == 3)
        #expect(passed(limiter, "/api/settings") == 0)
        #expect(passed(limiter, "/api/health", ip: "2.2.2.2") == 3)
        #expect(passed(limiter, "/api/collections/posts/records", scope: "abc/list") == 3)
    }

    @Test("the collection's tag comes before the one for all collections and both before the path")
    func tags() {
        let limiter = limiter([rule("/api/", 5), rule("*:list", 2), rule("posts:list", 1)])
        let path = "/api/collections/posts/records"
        #expect(passed(limiter, path, tags: ["posts:list", "*:list"]) == 1)
        #expect(passed(limiter, path, tags: ["users:list", "*:list"]) == 2)
        #expect(passed(limiter, path, tags: ["posts:create", "*:create"]) == 5)
    }

    @Test("a path with its method comes before the path alone, beginnings included")
    func methods() {
        let exact = limiter([rule("/api/", 5), rule("GET /api/health", 1)])
        #expect(passed(exact, "/api/health") == 1)
        #expect(passed(exact, "/api/health", method: "HEAD") == 5)
        let beginning = limiter([rule("/api/health", 1), rule("GET /api/", 3)])
        #expect(passed(beginning, "/api/health") == 3)
    }

    @Test("a label with a slash at its end matches the path without it, one without matches nothing below")
    func slashes() {
        let limiter = limiter([rule("/api", 1), rule("/api/health/", 2)])
        #expect(passed(limiter, "/api") == 1)
        #expect(passed(limiter, "/api/health") == 2)
        #expect(passed(limiter, "/api/health/x") == 0)
        #expect(passed(limiter, "/api/other") == 10)
        #expect(passed(limiter, "/api/healthy") == 10)
    }

    @Test("the first of several beginnings counts")
    func order() {
        #expect(passed(limiter([rule("/", 2), rule("/api/", 1)]), "/api/health") == 2)
        #expect(passed(limiter([rule("/api/", 1), rule("/", 2)]), "/api/health") == 1)
    }

    @Test("a rule for guests does not count who is signed in, and the other way round")
    func audiences() {
        let limiter = limiter([rule("/api/", 1, audience: "@guest"), rule("/api/", 2, audience: "@auth")])
        #expect(passed(limiter, "/api/x", isGuest: true) == 1)
        #expect(passed(limiter, "/api/x", isGuest: false) == 2)
        let guests = self.limiter([rule("/api/x", 1, audience: "@guest")])
        #expect(passed(guests, "/api/x", isGuest: false) == 10)
    }

    @Test("excluded addresses have no limits")
    func excluded() {
        let limiter = limiter([rule("/api/", 1)], excluded: ["10.0.0.0/8", "::1"])
        #expect(passed(limiter, "/api/x", ip: "10.1.2.3") == 10)
        #expect(passed(limiter, "/api/x", ip: "0000:0000:0000:0000:0000:0000:0000:0001") == 10)
        #expect(passed(limiter, "/api/x", ip: "11.1.2.3") == 1)
    }

    @Test("saving the settings forgets what was counted")
    func resets() {
        let limiter = limiter([rule("/api/", 1)])
        #expect(passed(limiter, "/api/x") == 1)
        limiter.configure(.init(rules: [rule("/api/", 2)], enabled: true))
        #expect(passed(limiter, "/api/x") == 2)
        limiter.configure(.init())
        #expect(!limiter.isEnabled)
    }

    @Test("a flood of addresses fills no more than the table")
    func bounded() {
        let limiter = limiter([rule("/api/", 1, duration: 3600)], capacity: 100)
        for number in 0..<10_000 {
            _ = limiter.check(path: "/api/x", method: "GET", isGuest: true, ip: "c\(number)", seconds: Int64(number))
            #expect(limiter.count <= 100)
        }
        #expect(passed(limiter, "/api/x", ip: "c9999", seconds: 10_000) == 0)
        for number in 0..<1000 {
            _ = limiter.check(path: "/api/x", method: "GET", isGuest: true, ip: "d\(number)", seconds: 10_001)
            #expect(limiter.count <= 100)
        }
        limiter.removeExpired(seconds: 20_000)
        #expect(limiter.count == 0)
    }

    @Test("requests from many threads are counted exactly")
    func threads() async {
        let limiter = limiter([rule("/api/", 500, duration: 3600)])
        let passed = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<200).count { _ in
                        limiter.check(path: "/api/x", method: "GET", isGuest: true, ip: "1.1.1.1", seconds: 1)
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(passed == 500)
    }
}
