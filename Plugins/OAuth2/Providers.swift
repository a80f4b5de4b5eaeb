import PluginKit

/// The services that are known, in the order in which clients show them.
enum Providers {
    static func find(_ name: String) -> Provider? { byName[name] }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    static let all: [Provider] = [
        apple,
        Provider(
            name: "google", title: "Google",
            scopes: [
                "https://www.googleapis.com/auth/userinfo.profile", "https://www.googleapis.com/auth/userinfo.email",
            ],
            authURL: "https://accounts.google.com/o/oauth2/v2/auth", tokenURL: "https://oauth2.googleapis.com/token",
            userInfoURL: "https://www.googleapis.com/oauth2/v3/userinfo", mark: ("#4285f4", "G")
        ) { user, _ in
            Account(
                id: try user.text("sub"), name: try user.text("name"),
                email: try user.bool("email_verified") ? try user.text("email") : "",
                avatarURL: try user.text("picture"))
        },
        microsoft,
        Provider(
            name: "yandex", title: "Yandex", scopes: ["login:email", "login:avatar", "login:info"],
            authURL: "https://oauth.yandex.com/authorize", tokenURL: "https://oauth.yandex.com/token",
            userInfoURL: "https://login.yandex.ru/info", mark: ("#fc3f1d", "Y")
        ) { user, _ in
            let avatar = try user.text("default_avatar_id")
            return Account(
                id: try user.text("id"), name: try user.text("real_name"), username: try user.text("login"),
                email: try user.text("default_email"),
                avatarURL: try user.bool("is_avatar_empty")
                    ? "" : "https://avatars.yandex.net/get-yapic/\(avatar)/islands-200")
        },
        Provider(
            name: "facebook", title: "Facebook", scopes: ["email"],
            authURL: "https://www.facebook.com/v3.2/dialog/oauth",
            tokenURL: "https://graph.facebook.com/v3.2/oauth/access_token",
            userInfoURL: "https://graph.facebook.com/me?fields=name,email,picture.type(large)", mark: ("#1877f2", "f")
        ) { user, _ in
            Account(
                id: try user.text("id"), name: try user.text("name"), email: try user.text("email"),
                avatarURL: try user.text("picture", "data", "url"))
        },
        Provider(
            name: "instagram2", title: "Instagram", scopes: ["instagram_business_basic"],
            authURL: "https://www.instagram.com/oauth/authorize",
            tokenURL: "https://api.instagram.com/oauth/access_token",
            userInfoURL: "https://graph.instagram.com/me?fields=id,username,account_type,user_id,name,"
                + "profile_picture_url,followers_count,follows_count,media_count",
            mark: ("#c837ab", "I"),
            ask: { session in
                var user = try session.userInfo()
                // Which permissions were given is in the token's answer alone.
                if user["permissions"] == nil, let given = session.token.answer["permissions"], !given.isNull,
                    var object = user.objectValue
                {
                    object["permissions"] = given
                    user = .object(object)
                }
                return user
            }
        ) { user, _ in
            Account(
                id: try user.text("user_id"), name: try user.text("name"), username: try user.text("username"),
                avatarURL: try user.text("profile_picture_url"))
        },
        Provider(
            name: "github", title: "GitHub", scopes: ["read:user", "user:email"],
            authURL: "https://github.com/login/oauth/authorize",
            tokenURL: "https://github.com/login/oauth/access_token", userInfoURL: "https://api.github.com/user",
            mark: ("#24292f", "G")
        ) { user, session in
            Account(
                id: try user.number("id"), name: try user.text("name"), username: try user.text("login"),
                email: try session.verifiedPrimaryEmail(), avatarURL: try user.text("avatar_url"))
        },
        Provider(
            name: "gitlab", title: "GitLab", scopes: ["read_user"], authURL: "https://gitlab.com/oauth/authorize",
            tokenURL: "https://gitlab.com/oauth/token", userInfoURL: "https://gitlab.com/api/v4/user",
            mark: ("#fc6d26", "G")
        ) { user, _ in
            Account(
                id: try user.number("id"), name: try user.text("name"), username: try user.text("username"),
                email: MomentText.isMoment(try user.text("confirmed_at")) ? try user.text("email") : "",
                avatarURL: try user.text("avatar_url"))
        },
        Provider(
            name: "bitbucket", title: "Bitbucket", usesPKCE: false, scopes: ["account"],
            authURL: "https://bitbucket.org/site/oauth2/authorize",
            tokenURL: "https://bitbucket.org/site/oauth2/access_token",
            userInfoURL: "https://api.bitbucket.org/2.0/user", mark: ("#0052cc", "B")
        ) { user, session in
            guard try user.text("account_status") == "active" else { throw ProviderError("the account is not active") }
            let emails = try session.optional("\(session.provider.userInfoURL)/emails") { $0 >= 400 }
            if let emails, emails.objectValue == nil { throw ProviderError("the list of addresses is none") }
            var email = ""
            for entry in emails?["values"]?.arrayValue ?? [] where email.isEmpty {
                let entry = AccountReader(entry)
                if try entry.bool("is_primary"), try entry.bool("is_confirmed") { email = try entry.text("email") }
            }
            return Account(
                id: try user.text("uuid"), name: try user.text("display_name"), username: try user.text("username"),
                email: email, avatarURL: try user.text("links", "avatar", "href"))
        },
        Provider(
            name: "gitee", title: "Gitee", scopes: ["user_info", "emails"],
            authURL: "https://gitee.com/oauth/authorize",
            tokenURL: "https://gitee.com/oauth/token", userInfoURL: "https://gitee.com/api/v5/user",
            mark: ("#c71d23", "G")
        ) { user, session in
            var email = try user.text("email")
            if !EmailSyntax.isAddress(email) {
                email = ""
                // Who keeps the address to themselves is answered with something else than a list.
                let emails = try? session.optional("https://gitee.com/api/v5/emails") { [401, 403, 404].contains($0) }
                for entry in emails?.arrayValue ?? [] where email.isEmpty {
                    let scopes = entry["scope"]?.arrayValue?.compactMap(\.stringValue) ?? []
                    let address = entry["email"]?.stringValue ?? ""
                    if entry["state"]?.stringValue == "confirmed", scopes.contains("primary"),
                        EmailSyntax.isAddress(address)
                    {
                        email = address
                    }
                }
            }
            return Account(
                id: try user.number("id"), name: try user.text("name"), username: try user.text("login"), email: email,
                avatarURL: try user.text("avatar_url"))
        },
        Provider(
            name: "gitea", title: "Gitea/Forgejo", scopes: ["read:user", "user:email"],
            authURL: "https://gitea.com/login/oauth/authorize",
            tokenURL: "https://gitea.com/login/oauth/access_token", userInfoURL: "https://gitea.com/api/v1/user",
            mark: ("#609926", "G")
        ) { user, session in
            guard try user.bool("active") else { throw ProviderError("the account is not active") }
            return Account(
                id: try user.number("id"), name: try user.text("full_name"), username: try user.text("login"),
                email: try session.verifiedPrimaryEmail(), avatarURL: try user.text("avatar_url"))
        },
        Provider(
            name: "discord", title: "Discord", scopes: ["identify", "email"],
            authURL: "https://discord.com/api/oauth2/authorize", tokenURL: "https://discord.com/api/oauth2/token",
            userInfoURL: "https://discord.com/api/users/@me", mark: ("#5865f2", "D")
        ) { user, _ in
            let (id, avatar) = (try user.text("id"), try user.text("avatar"))
            let (username, number) = (try user.text("username"), try user.text("discriminator"))
            var name = try user.text("global_name")
            // Old accounts share their name with others, and have a number to it.
            if name.isEmpty { name = number.isEmpty || number == "0" ? username : "\(username)#\(number)" }
            return Account(
                id: id, name: name, username: username,
                email: try user.bool("verified") ? try user.text("email") : "",
                avatarURL: avatar.isEmpty ? "" : "https://cdn.discordapp.com/avatars/\(id)/\(avatar).png")
        },
        Provider(
            name: "twitter", title: "X/Twitter", scopes: ["users.read", "users.email", "tweet.read"],
            authURL: "https://x.com/i/oauth2/authorize", tokenURL: "https://api.x.com/2/oauth2/token",
            userInfoURL: "https://api.x.com/2/users/me?user.fields=id,name,username,profile_image_url,confirmed_email",
            mark: ("#000000", "X")
        ) { user, _ in
            let user = user["data"]
            return Account(
                id: try user.text("id"), name: try user.text("name"), username: try user.text("username"),
                email: try user.text("confirmed_email"), avatarURL: try user.text("profile_image_url"))
        },
        Provider(
            name: "kakao", title: "Kakao", scopes: ["account_email", "profile_nickname", "profile_image"],
            authURL: "https://kauth.kakao.com/oauth/authorize", tokenURL: "https://kauth.kakao.com/oauth/token",
            userInfoURL: "https://kapi.kakao.com/v2/user/me", mark: ("#3c1e1e", "K")
        ) { user, _ in
            let account = user["kakao_account"]
            let isTheirs = try account.bool("is_email_valid") && account.bool("is_email_verified")
            return Account(
                id: try user.number("id"), username: try user.text("properties", "nickname"),
                email: isTheirs ? try account.text("email") : "",
                avatarURL: try user.text("properties", "profile_image"))
        },
        Provider(
            name: "vk", title: "ВКонтакте", usesPKCE: false, scopes: ["email"],
            authURL: "https://oauth.vk.com/authorize", tokenURL: "https://oauth.vk.com/access_token",
            userInfoURL: "https://api.vk.com/method/users.get?fields=photo_max,screen_name&v=5.131",
            mark: ("#0077ff", "V")
        ) { user, session in
            guard let first = user.json["response"]?.arrayValue?.first else {
                throw ProviderError("no account was given")
            }
            let user = AccountReader(first)
            let names = [try user.text("first_name"), try user.text("last_name")]
            let email = session.token.answer["email"]
            return Account(
                id: try user.number("id"), name: names.joined(separator: " ").trimmingSpaces,
                username: try user.text("screen_name"),
                email: email?.stringValue ?? (email.map { $0.isNull ? "" : $0.serialized() } ?? ""),
                avatarURL: try user.text("photo_max"))
        },
        Provider(
            name: "linear", title: "Linear", usesPKCE: false, scopes: ["read"],
            authURL: "https://linear.app/oauth/authorize", tokenURL: "https://api.linear.app/oauth/token",
            userInfoURL: "https://api.linear.app/graphql", mark: ("#5e6ad2", "L"),
            ask: { try $0.graph("query Me { viewer { id displayName name email avatarUrl active } }") }
        ) { user, _ in
            let user = user["data", "viewer"]
            guard try user.bool("active") else { throw ProviderError("the account is not active") }
            return Account(
                id: try user.text("id"), name: try user.text("name"), username: try user.text("displayName"),
                email: try user.text("email"), avatarURL: try user.text("avatarUrl"))
        },
        Provider(
            name: "notion", title: "Notion", authURL: "https://api.notion.com/v1/oauth/authorize",
            tokenURL: "https://api.notion.com/v1/oauth/token", userInfoURL: "https://api.notion.com/v1/users/me",
            mark: ("#191919", "N"), ask: { try $0.userInfo([("Notion-Version", "2022-06-28")]) }
        ) { user, _ in
            let user = user["bot", "owner", "user"]
            return Account(
                id: try user.text("id"), name: try user.text("name"), email: try user.text("person", "email"),
                avatarURL: try user.text("avatar_url"))
        },
        Provider(
            name: "monday", title: "monday.com", scopes: ["me:read"],
            authURL: "https://auth.monday.com/oauth2/authorize",
            tokenURL: "https://auth.monday.com/oauth2/token", userInfoURL: "https://api.monday.com/v2",
            mark: ("#ff3d57", "m"),
            ask: { try $0.graph("query { me { id enabled name email is_verified photo_small }}") }
        ) { user, _ in
            let user = user["data", "me"]
            guard try user.bool("enabled") else { throw ProviderError("the account is not enabled") }
            return Account(
                id: try user.text("id"), name: try user.text("name"),
                email: try user.bool("is_verified") ? try user.text("email") : "",
                avatarURL: try user.text("photo_small"))
        },
        Provider(
            name: "lark", title: "Lark", authURL: "https://accounts.feishu.cn/open-apis/authen/v1/authorize",
            tokenURL: "https://open.feishu.cn/open-apis/authen/v2/oauth/token",
            userInfoURL: "https://open.feishu.cn/open-apis/authen/v1/user_info", mark: ("#3370ff", "L")
        ) { user, _ in
            let user = user["data"]
            return Account(
                id: try user.text("union_id"), name: try user.text("name"), avatarURL: try user.text("avatar_url"))
        },
        Provider(
            name: "box", title: "Box", scopes: ["root_readonly"],
            authURL: "https://account.box.com/api/oauth2/authorize", tokenURL: "https://api.box.com/oauth2/token",
            userInfoURL: "https://api.box.com/2.0/users/me", mark: ("#0061d5", "b")
        ) { user, _ in
            guard try user.text("status") == "active" else { throw ProviderError("the account is not active") }
            return Account(
                id: try user.text("id"), name: try user.text("name"), email: try user.text("login"),
                avatarURL: try user.text("avatar_url"))
        },
        Provider(
            // No address: Spotify does not say whether it is theirs.
            name: "spotify", title: "Spotify", scopes: ["user-read-private"],
            authURL: "https://accounts.spotify.com/authorize", tokenURL: "https://accounts.spotify.com/api/token",
            userInfoURL: "https://api.spotify.com/v1/me", mark: ("#1db954", "S")
        ) { user, _ in
            let image = user.json["images"]?.arrayValue?.first.map { AccountReader($0) }
            return Account(
                id: try user.text("id"), name: try user.text("display_name"), avatarURL: try image?.text("url") ?? "")
        },
        Provider(
            name: "trakt", title: "Trakt", authURL: "https://trakt.tv/oauth/authorize",
            tokenURL: "https://api.trakt.tv/oauth/token", userInfoURL: "https://api.trakt.tv/users/settings",
            mark: ("#ed1c24", "T"),
            ask: { session in
                try session.userInfo([
                    ("Content-Type", "application/json"), ("trakt-api-key", session.clientID),
                    ("trakt-api-version", "2"),
                ])
            }
        ) { user, _ in
            let user = user["user"]
            return Account(
                id: try user.text("ids", "uuid"), name: try user.text("name"), username: try user.text("username"),
                avatarURL: try user.text("images", "avatar", "full"))
        },
        Provider(
            name: "twitch", title: "Twitch", scopes: ["user:read:email"],
            authURL: "https://id.twitch.tv/oauth2/authorize", tokenURL: "https://id.twitch.tv/oauth2/token",
            userInfoURL: "https://api.twitch.tv/helix/users", mark: ("#9146ff", "T"),
            ask: { session in try session.userInfo([("Client-Id", session.clientID)]) }
        ) { user, _ in
            guard let first = user.json["data"]?.arrayValue?.first else { throw ProviderError("no account was given") }
            let user = AccountReader(first)
            return Account(
                id: try user.text("id"), name: try user.text("display_name"), username: try user.text("login"),
                email: try user.text("email"), avatarURL: try user.text("profile_image_url"))
        },
        Provider(
            name: "patreon", title: "Patreon", scopes: ["identity", "identity[email]"],
            authURL: "https://www.patreon.com/oauth2/authorize", tokenURL: "https://www.patreon.com/api/oauth2/token",
            userInfoURL: "https://www.patreon.com/api/oauth2/v2/identity?fields%5Buser%5D="
                + "full_name,email,vanity,image_url,is_email_verified",
            mark: ("#f96854", "P")
        ) { user, _ in
            let more = user["data", "attributes"]
            return Account(
                id: try user.text("data", "id"), name: try more.text("full_name"), username: try more.text("vanity"),
                email: try more.bool("is_email_verified") ? try more.text("email") : "",
                avatarURL: try more.text("image_url"))
        },
        Provider(
            name: "strava", title: "Strava", scopes: ["profile:read_all"],
            authURL: "https://www.strava.com/oauth/authorize", tokenURL: "https://www.strava.com/api/v3/oauth/token",
            userInfoURL: "https://www.strava.com/api/v3/athlete", mark: ("#fc4c02", "S")
        ) { user, _ in
            let id = try user.number("id")
            return Account(
                id: id == "0" ? "" : id, name: "\(try user.text("firstname")) \(try user.text("lastname"))",
                username: try user.text("username"), avatarURL: try user.text("profile"))
        },
        Provider(
            name: "wakatime", title: "WakaTime", scopes: ["email"], authURL: "https://wakatime.com/oauth/authorize",
            tokenURL: "https://wakatime.com/oauth/token", userInfoURL: "https://wakatime.com/api/v1/users/current",
            mark: ("#000000", "W")
        ) { user, _ in
            let user = user["data"]
            return Account(
                id: try user.text("id"), name: try user.text("display_name"), username: try user.text("username"),
                email: try user.bool("is_email_confirmed") ? try user.text("email") : "",
                avatarURL: try user.bool("photo_public") ? try user.text("photo") : "")
        },
        Provider(
            name: "livechat", title: "LiveChat", authURL: "https://accounts.livechat.com/",
            tokenURL: "https://accounts.livechat.com/token",
            userInfoURL: "https://accounts.livechat.com/v2/accounts/me",
            mark: ("#ff5100", "L")
        ) { user, _ in
            Account(
                id: try user.text("account_id"), name: try user.text("name"),
                email: try user.bool("email_verified") ? try user.text("email") : "",
                avatarURL: try user.text("avatar_url"))
        },
        Provider(name: "mailcow", title: "mailcow", scopes: ["profile"], mark: ("#f9a825", "m")) { user, _ in
            guard try user.number("active") == "1" else { throw ProviderError("the account is not active") }
            // Names are mostly addresses; what is before the @ is the name.
            let username = try user.text("username").split(separator: "@", omittingEmptySubsequences: false)[0]
            return Account(
                id: try user.text("id"), name: try user.text("full_name"), username: String(username),
                email: try user.text("email"))
        },
        Provider(
            // No address: there may be several, and nobody says whose they are.
            name: "planningcenter", title: "Planning Center", scopes: ["people"],
            authURL: "https://api.planningcenteronline.com/oauth/authorize",
            tokenURL: "https://api.planningcenteronline.com/oauth/token",
            userInfoURL: "https://api.planningcenteronline.com/people/v2/me", mark: ("#2266f7", "P")
        ) { user, _ in
            let more = user["data", "attributes"]
            guard try more.text("status") == "active" else { throw ProviderError("the account is not active") }
            return Account(
                id: try user.text("data", "id"), name: try more.text("name"), avatarURL: try more.text("avatar"))
        },
        openID("oidc"), openID("oidc2"), openID("oidc3"),
    ]

    /// Any service that speaks OpenID Connect; its addresses are in the collection's options.
    private static func openID(_ name: String) -> Provider {
        Provider(
            name: name, title: "OIDC", scopes: ["openid", "email", "profile"], mark: ("#5b6b7b", "O"),
            ask: { session in
                session.provider.userInfoURL.isEmpty ? .object(try session.openIDClaims()) : try session.userInfo()
            }
        ) { user, _ in
            Account(
                id: try user.text("sub"), name: try user.text("name"), username: try user.text("preferred_username"),
                email: user.looseBool("email_verified") ? try user.text("email") : "",
                avatarURL: try user.text("picture"))
        }
    }

    private static let apple = Provider(
        name: "apple", title: "Apple", scopes: ["name", "email"], authURL: "https://appleid.apple.com/auth/authorize",
        tokenURL: "https://appleid.apple.com/auth/token", mark: ("#000000", "A"),
        parameters: [("response_mode", "form_post")],
        ask: { session in
            // There is nothing to ask; what is known is in the token.
            let token = try IDToken(session.token.answer)
            try token.check(audience: session.clientID, issuers: ["https://appleid.apple.com"], mustExpire: true)
            try token.checkSignature { try session.keys("https://appleid.apple.com/auth/keys") }
            return .object(token.claims)
        }
    ) { user, _ in
        Account(
            id: try user.text("sub"), name: try user.text("name"),
            email: user.looseBool("email_verified") ? try user.text("email") : "")
    }

    private static let microsoft = Provider(
        name: "microsoft", title: "Microsoft", scopes: ["User.Read"],
        authURL: "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        tokenURL: "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        userInfoURL: "https://graph.microsoft.com/v1.0/me", mark: ("#00a4ef", "M")
    ) { user, session in
        // Which claim of the token to believe is the operator's choice.
        func claims() -> JSONObject {
            guard let token = try? IDToken(session.token.answer), (try? token.check()) != nil else { return [:] }
            return token.claims
        }
        func primary() -> String { claims()["verified_primary_email"]?.stringValue ?? "" }
        func owned() -> String {
            let claims = AccountReader(.object(claims()))
            return claims.looseBool("xms_edov") ? claims.json["email"]?.stringValue ?? "" : ""
        }
        let email: String
        switch session.extra["idTokenEmailClaim"]?.stringValue {
        case "any_verified": email = primary().isEmpty ? owned() : primary()
        case "verified_primary_email": email = primary()
        case "email_and_xms_edov": email = owned()
        case "email": email = claims()["email"]?.stringValue ?? ""
        default: email = try user.text("mail")
        }
        return Account(id: try user.text("id"), name: try user.text("displayName"), email: email)
    }
}

extension String {
    /// Without spaces at both ends.
    var trimmingSpaces: String {
        let spaces: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        let rest = utf8.drop { spaces.contains($0) }.reversed().drop { spaces.contains($0) }
        return String(decoding: rest.reversed(), as: UTF8.self)
    }
}

enum MomentText {
    /// Whether a text is a moment (RFC 3339) and not Go's beginning of time.
    static func isMoment(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        let form = Array("dddd-dd-ddTdd:dd:dd".utf8)
        guard bytes.count > form.count, !text.hasPrefix("0001-01-01T00:00:00") else { return false }
        return zip(bytes, form).allSatisfy { byte, sign in
            sign == UInt8(ascii: "d") ? (0x30...0x39).contains(byte) : byte == sign
        }
    }
}
