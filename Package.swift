// swift-tools-version: 6.2
import PackageDescription

/// libFuzzer's library while scripts/fuzz builds, nil otherwise.
let fuzzer = Context.environment["ROOST_FUZZ"]

/// The rooms of Roost. A target may import only what its `dependencies` name, so this file is the proof that
/// dependencies point one way: Host -> Roost -> API -> PluginHost -> Engine -> Store, with WebServer beside Engine and
/// PluginABI below everything that crosses the plugin boundary.

let strict: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (fuzzer == nil ? [] : [.unsafeFlags(["-sanitize=fuzzer", "-assert-config", "Debug"])])

/// A plugin exports one symbol, resolves its own symbols inside itself, and is never unloaded (docs/plugins.md).
let pluginLinker: [LinkerSetting] = [
    .unsafeFlags([
        "-use-ld=lld",
        "-Xlinker", "-Bsymbolic",
        "-Xlinker", "-z", "-Xlinker", "nodelete",
        "-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/PluginABI/plugin.map",
    ])
]

let fieldTypes = [
    "Text", "Editor", "Number", "Bool", "Email", "URL", "Date", "AutoDate", "Select", "JSON", "File", "Relation",
    "Password", "GeoPoint",
]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]

let package = Package(
    name: "roost",
    products: [
        .executable(name: "roost", targets: ["Host"]),
        .executable(name: "roost-thumbs", targets: ["ThumbsHelper"]),
        .library(name: "Roost", targets: ["Roost"]),
        .library(name: "PluginKit", targets: ["PluginKit"]),
        .library(name: "PluginABI", targets: ["PluginABI"]),
    ]
        + fieldTypes.map { .library(name: "\($0)Field", type: .dynamic, targets: ["\($0)Field"]) }
        + [
            .library(name: "AuthPlugin", type: .dynamic, targets: ["AuthPlugin"]),
            .library(name: "FilesPlugin", type: .dynamic, targets: ["FilesPlugin"]),
            .library(name: "OAuth2Plugin", type: .dynamic, targets: ["OAuth2Plugin"]),
            .library(name: "MailPlugin", type: .dynamic, targets: ["MailPlugin"]),
            .library(name: "RealtimePlugin", type: .dynamic, targets: ["RealtimePlugin"]),
            .library(name: "S3Plugin", type: .dynamic, targets: ["S3Plugin"]),
            .library(name: "ThumbsPlugin", type: .dynamic, targets: ["ThumbsPlugin"]),
            .library(name: "VersionField", type: .dynamic, targets: ["VersionField"]),
        ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        .systemLibrary(name: "CSQLite", path: "Sources/System/CSQLite", pkgConfig: "sqlite3"),
        .target(name: "CStore", dependencies: ["CSQLite"], path: "Sources/System/CStore"),
        .systemLibrary(name: "COpenSSL", path: "Sources/System/COpenSSL", pkgConfig: "libcrypto"),
        .systemLibrary(name: "CCrypt", path: "Sources/System/CCrypt", pkgConfig: "libcrypt"),
        .systemLibrary(name: "CMalloc", path: "Sources/System/CMalloc"),
        .systemLibrary(name: "CZlib", path: "Sources/System/CZlib", pkgConfig: "zlib"),
        // These are loaded at their first use; their headers alone are needed here, and of libvips not even those.
        .target(name: "CCurl", path: "Sources/System/CCurl"),
        .target(name: "CVips", path: "Sources/System/CVips"),
        .target(name: "CSpawn", path: "Sources/System/CSpawn"),
        .target(name: "CSocketBatch", path: "Sources/System/CSocketBatch"),
        .target(name: "CZip", path: "Sources/System/CZip"),
        .target(
            name: "CXML2", path: "Sources/System/CXML2", cSettings: [.unsafeFlags(["-I/usr/include/libxml2"])]),
        .target(
            name: "CRE2", path: "Sources/System/CRE2",
            linkerSettings: [.linkedLibrary("re2"), .linkedLibrary("stdc++")]
        ),
        .target(name: "Marks", swiftSettings: strict),
        .target(name: "JSON", dependencies: ["Marks"], swiftSettings: strict),
        .target(name: "PluginABI", exclude: ["manifest.schema.json", "plugin.map"]),
        .target(name: "PluginKit", dependencies: ["PluginABI", "JSON"], swiftSettings: strict),
        .target(
            name: "Store",
            dependencies: ["CSQLite", "CStore", "CMalloc"],
            swiftSettings: strict
        ),
        .target(
            name: "WebServer",
            dependencies: nio + [
                "Marks", "COpenSSL", "CSocketBatch", "CZlib", .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict
        ),
        .target(name: "Engine", dependencies: ["Store", "JSON", "COpenSSL", "CCrypt", "CZip"], swiftSettings: strict),
        .target(
            name: "PluginHost",
            dependencies: [
                "Engine", "Store", "WebServer", "PluginABI", "JSON", "COpenSSL", "CRE2",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "API",
            dependencies: [
                "PluginHost", "Engine", "Store", "WebServer", "JSON", "Marks", "WebTokens", "CZlib",
                .product(name: "NIOCore", package: "swift-nio"),
            ], swiftSettings: strict),
        .target(
            name: "Roost", dependencies: ["API", "PluginHost", "Engine", "Store", "WebServer", "JSON"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "Host",
            dependencies: [
                "Roost", "PluginHost", "Engine", "WebServer", "JSON", "CMalloc",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        // Linked into each plugin that makes or checks tokens.
        .target(
            name: "WebTokens", dependencies: ["JSON", "COpenSSL"], path: "Plugins/Shared/WebTokens",
            swiftSettings: strict
        ),
        // What the plugins that sign people in read alike.
        .target(
            name: "AuthForms", dependencies: ["PluginKit"], path: "Plugins/Shared/AuthForms", swiftSettings: strict),
        // Linked into each plugin that asks other servers by HTTP.
        .target(
            name: "Transfers", dependencies: ["PluginKit", "CCurl"], path: "Plugins/Shared/Transfers",
            swiftSettings: strict
        ),
        .target(
            name: "FilesPlugin", dependencies: ["PluginKit", "JSON", "WebTokens"], path: "Plugins/Files",
            exclude: ["plugin.json"], swiftSettings: strict, linkerSettings: pluginLinker
        ),
        .target(
            name: "AuthPlugin", dependencies: ["PluginKit", "JSON", "COpenSSL", "CCrypt", "WebTokens", "AuthForms"],
            path: "Plugins/Auth",
            exclude: ["plugin.json"], swiftSettings: strict, linkerSettings: pluginLinker
        ),
        .target(
            name: "RealtimePlugin", dependencies: ["PluginKit", "JSON"], path: "Plugins/Realtime",
            exclude: ["plugin.json"], swiftSettings: strict, linkerSettings: pluginLinker
        ),
        .target(
            name: "ThumbsPlugin", dependencies: ["PluginKit", "CSpawn"], path: "Plugins/Thumbs",
            exclude: ["plugin.json", "Helper"], swiftSettings: strict, linkerSettings: pluginLinker
        ),
        .executableTarget(
            name: "ThumbsHelper", dependencies: ["CVips"], path: "Plugins/Thumbs/Helper", swiftSettings: strict),
        .target(
            name: "S3Plugin", dependencies: ["PluginKit", "Transfers", "CCurl", "COpenSSL"], path: "Plugins/S3",
            exclude: ["plugin.json"], swiftSettings: strict, linkerSettings: pluginLinker
        ),
        .target(
            name: "OAuth2Plugin", dependencies: ["PluginKit", "Transfers", "AuthForms", "WebTokens", "COpenSSL"],
            path: "Plugins/OAuth2",
            exclude: ["plugin.json"], swiftSettings: strict, linkerSettings: pluginLinker
        ),
        .target(
            name: "MailPlugin", dependencies: ["PluginKit", "CCurl", "CXML2"], path: "Plugins/Mail",
            exclude: ["plugin.json"], swiftSettings: strict + [.unsafeFlags(["-Xcc", "-I/usr/include/libxml2"])],
            linkerSettings: pluginLinker
        ),
    ]
        + fieldTypes.map { name in
            .target(
                name: "\(name)Field",
                dependencies: ["PluginKit", "JSON"] + (name == "Password" ? ["CCrypt"] : []),
                path: "Plugins/FieldTypes/\(name)", exclude: ["plugin.json"],
                swiftSettings: strict, linkerSettings: pluginLinker
            )
        }
        + [
            // A sample of a plugin in Swift; it is no part of what ships.
            .target(
                name: "VersionField", dependencies: ["PluginKit"], path: "Tests/Plugins/swift-version",
                exclude: ["plugin.json"], swiftSettings: strict, linkerSettings: pluginLinker
            ),
            .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: strict),
            .testTarget(name: "StoreTests", dependencies: ["Store"], swiftSettings: strict),
            // The fixture of queries belongs to the fuzzer while that is built: a file is part of one target.
            .testTarget(
                name: "EngineTests", dependencies: ["Engine", "Store", "JSON"],
                exclude: fuzzer == nil ? [] : ["QueryFixture.swift"], swiftSettings: strict),
            .testTarget(name: "WebServerTests", dependencies: ["WebServer"] + nio, swiftSettings: strict),
            .testTarget(
                name: "FieldTypeTests", dependencies: ["PluginABI", "JSON", "CRE2"],
                exclude: ["Fixtures", "record-fixtures.py"], swiftSettings: strict),
            .testTarget(
                name: "PluginHostTests", dependencies: ["PluginHost", "Engine", "JSON"], swiftSettings: strict),
        ]
        + (fuzzer.map { library in
            [
                .executableTarget(
                    name: "QueryFuzz", dependencies: ["Engine", "Store", "JSON"], path: "Tests",
                    sources: ["Fuzz/main.swift", "EngineTests/QueryFixture.swift"], swiftSettings: strict,
                    linkerSettings: [.unsafeFlags([library]), .linkedLibrary("stdc++")])
            ]
        } ?? [])
)
