import JSON

/// The collections that a new folder has.
package struct SystemCollections {
    let types: FieldTypeRegistry

    /// The field types without which no folder can be made.
    package static let requiredTypes = ["autodate", "bool", "email", "file", "password", "text"]

    /// In the order in which they are made; their rowids follow from it.
    var all: [CollectionDraft] {
        [multiFactor, oneTimePasswords, externalAuths, authOrigins, superusers, users]
    }

    private static let ownerRule =
        "@request.auth.id != '' && recordRef = @request.auth.id && collectionRef = @request.auth.collectionId"

    private func text(_ name: String, required: Bool = true, hidden: Bool = false) -> FieldDraft {
        FieldDraft(
            type: "text", name: name, system: true, hidden: hidden, settings: ["required": .bool(required)],
            types: types
        )
    }

    private func times(system: Bool) -> [FieldDraft] {
        [
            FieldDraft(type: "autodate", name: "created", system: system, settings: ["onCreate": true], types: types),
            FieldDraft(
                type: "autodate", name: "updated", system: system, settings: ["onCreate": true, "onUpdate": true],
                types: types
            ),
        ]
    }

    /// A table about records of auth collections, which `collectionRef` and `recordRef` name.
    private func traces(
        _ name: String, _ fields: [FieldDraft], indexes: [String], deletable: Bool
    ) -> CollectionDraft {
        var draft = CollectionDraft(type: "base", name: name, types: types)
        draft.system = true
        draft.rules.list = Self.ownerRule
        draft.rules.view = Self.ownerRule
        if deletable { draft.rules.delete = Self.ownerRule }
        for field in [text("collectionRef"), text("recordRef")] + fields + times(system: true) {
            draft.fields.add(field)
        }
        draft.indexes = indexes
        return draft
    }

    private var multiFactor: CollectionDraft {
        traces(
            "_mfas", [text("method")],
            indexes: ["CREATE INDEX `idx_mfas_collectionRef_recordRef` ON `_mfas` (collectionRef,recordRef)"],
            deletable: false
        )
    }

    private var oneTimePasswords: CollectionDraft {
        let password = FieldDraft(
            // Short-lived and seldom right to guess, so a cheap hash does.
            type: "password", name: "password", system: true, hidden: true, settings: ["required": true, "cost": 8],
            types: types
        )
        return traces(
            "_otps", [password, text("sentTo", required: false, hidden: true)],
            indexes: ["CREATE INDEX `idx_otps_collectionRef_recordRef` ON `_otps` (collectionRef, recordRef)"],
            deletable: false
        )
    }

    private var externalAuths: CollectionDraft {
        traces(
            "_externalAuths", [text("provider"), text("providerId")],
            indexes: [
                "CREATE UNIQUE INDEX `idx_externalAuths_record_provider` ON `_externalAuths` "
                    + "(collectionRef, recordRef, provider)",
                "CREATE UNIQUE INDEX `idx_externalAuths_collection_provider` ON `_externalAuths` "
                    + "(collectionRef, provider, providerId)",
            ], deletable: true
        )
    }

    private var authOrigins: CollectionDraft {
        traces(
            "_authOrigins", [text("fingerprint")],
            indexes: [
                "CREATE UNIQUE INDEX `idx_authOrigins_unique_pairs` ON `_authOrigins` "
                    + "(collectionRef, recordRef, fingerprint)"
            ], deletable: true
        )
    }

    private var superusers: CollectionDraft {
        var draft = CollectionDraft(type: "auth", name: "_superusers", types: types)
        draft.system = true
        for field in times(system: true) { draft.fields.add(field) }
        draft.authOptions = draft.authOptions.setting(["authToken", "duration"], 86_400)
        return draft
    }

    private var users: CollectionDraft {
        let own = "id = @request.auth.id"
        var draft = CollectionDraft(type: "auth", name: "users", id: "_pb_users_auth_", types: types)
        draft.rules = CollectionRules(list: own, view: own, create: "", update: own, delete: own)
        draft.fields.add(FieldDraft(type: "text", name: "name", settings: ["max": 255], types: types))
        draft.fields.add(
            FieldDraft(
                type: "file", name: "avatar",
                settings: [
                    "maxSelect": 1,
                    "mimeTypes": ["image/jpeg", "image/png", "image/svg+xml", "image/gif", "image/webp"],
                ], types: types
            )
        )
        for field in times(system: false) { draft.fields.add(field) }
        draft.authOptions = draft.authOptions.setting(["oauth2", "mappedFields", "name"], "name")
        draft.authOptions = draft.authOptions.setting(["oauth2", "mappedFields", "avatarURL"], "avatar")
        return draft
    }
}
