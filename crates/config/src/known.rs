//! The table of known keys. A pattern also makes everything on the way to it known; see `schema` for the notation.

use crate::schema::Standing;

/// Keys that are read, or that a Backstage backend reads in a section that is shared with it.
pub(crate) const KEYS: &str = "
    backend.baseUrl backend.listen.host backend.listen.port backend.https.certificate.cert backend.https.certificate.key
    backend.trustProxy.** backend.workingDirectory backend.packages.** backend.startup.** backend.logger.**
    backend.auditor.** backend.actions.pluginSources[]
    backend.actions.filter.include[].id backend.actions.filter.include[].attributes.destructive
    backend.actions.filter.include[].attributes.idempotent backend.actions.filter.include[].attributes.readOnly
    backend.actions.filter.exclude[].id backend.actions.filter.exclude[].attributes.destructive
    backend.actions.filter.exclude[].attributes.idempotent backend.actions.filter.exclude[].attributes.readOnly
    backend.cache.** backend.csp.** backend.hsts.** backend.referrer.policy
    backend.cors.origin[] backend.cors.methods[] backend.cors.allowedHeaders[] backend.cors.exposedHeaders[]
    backend.cors.credentials backend.cors.maxAge backend.cors.preflightContinue backend.cors.optionsSuccessStatus
    backend.server.headersTimeout backend.server.requestTimeout backend.server.keepAliveTimeout backend.server.timeout
    backend.server.maxHeadersCount backend.server.maxRequestsPerSocket
    backend.reading.allow[].host backend.reading.allow[].paths[]
    backend.health.headers.* backend.lifecycle.startupRequestPauseTimeout backend.lifecycle.serverShutdownDelay
    backend.rateLimit.global backend.rateLimit.window backend.rateLimit.incomingRequestLimit
    backend.rateLimit.ipAllowList[] backend.rateLimit.skipSuccessfulRequests backend.rateLimit.skipFailedRequests
    backend.rateLimit.passOnStoreError backend.rateLimit.store.** backend.rateLimit.plugin.*.**
    backend.metrics.plugin.*.meter.name backend.metrics.plugin.*.meter.version
    backend.metrics.plugin.*.meter.schemaUrl backend.metrics.**
    backend.database.client backend.database.connection.** backend.database.prefix
    backend.database.schemaPrefix backend.database.pluginDivisionMode backend.database.ensureExists backend.database.ensureSchemaExists
    backend.database.role backend.database.knexConfig.** backend.database.knexConfig.pool.**
    backend.database.connection.ssl.** backend.database.plugin.*.connection.ssl.**
    backend.database.plugin.*.connection.** backend.database.skipMigrations
    backend.database.plugin.*.** backend.database.clientPath
    backend.auth.dangerouslyDisableDefaultAuthPolicy backend.auth.keys[].secret
    backend.auth.pluginKeyStore.** backend.auth.allowCrossOrigin
    backend.auth.externalAccess[].type backend.auth.externalAccess[].options.token
    backend.auth.externalAccess[].options.secret backend.auth.externalAccess[].options.subject
    backend.auth.externalAccess[].options.url backend.auth.externalAccess[].options.issuer[]
    backend.auth.externalAccess[].options.audience[] backend.auth.externalAccess[].options.algorithm[]
    backend.auth.externalAccess[].options.subjectPrefix
    backend.auth.externalAccess[].accessRestrictions[].plugin
    backend.auth.externalAccess[].accessRestrictions[].permission[]
    backend.auth.externalAccess[].accessRestrictions[].permissionAttribute.action[]

    catalog.rules[].allow[].**
    catalog.rules[].locations[].type catalog.rules[].locations[].exact catalog.rules[].locations[].pattern
    catalog.locations[].type catalog.locations[].target catalog.locations[].presence
    catalog.locations[].rules[].allow[].**
    catalog.readonly catalog.disableDefaultProcessors catalog.orphanStrategy catalog.orphanProviderStrategy
    catalog.defaultLocationConflictStrategy catalog.processingInterval
    catalog.providerOptions.*.disabled catalog.processorOptions.*.disabled catalog.processorOptions.*.priority
    catalog.scmEvents.refresh catalog.scmEvents.unregister catalog.scmEvents.move
    catalog.actions.experimentalCatalogLayersDescriptions.enabled
    catalog.import.entityFilename catalog.import.pullRequestBranchName
    catalog.processors.** catalog.providers.*.**

    events.http.topics[] events.useEventBus events.notifyTimeoutMs events.modules.*.**

    integrations.github[].host integrations.github[].apiBaseUrl integrations.github[].rawBaseUrl
    integrations.github[].token integrations.github[].apps[].appId integrations.github[].apps[].clientId
    integrations.github[].apps[].clientSecret integrations.github[].apps[].privateKey
    integrations.github[].apps[].webhookSecret integrations.github[].apps[].allowedInstallationOwners[]
    integrations.github[].apps[].publicAccess integrations.github[].commitSigningKey
    integrations.gitlab[].host integrations.gitlab[].apiBaseUrl integrations.gitlab[].baseUrl
    integrations.gitlab[].token integrations.gitlab[].commitSigningKey integrations.gitlab[].retry.maxRetries
    integrations.gitlab[].retry.retryStatusCodes[] integrations.gitlab[].retry.maxApiRequestsPerMinute
    integrations.bitbucketCloud[].username integrations.bitbucketCloud[].token
    integrations.bitbucketCloud[].clientId integrations.bitbucketCloud[].clientSecret
    integrations.bitbucketCloud[].commitSigningKey
    integrations.bitbucketServer[].host integrations.bitbucketServer[].apiBaseUrl
    integrations.bitbucketServer[].token integrations.bitbucketServer[].username
    integrations.bitbucketServer[].password integrations.bitbucketServer[].commitSigningKey
    integrations.azure[].host integrations.azure[].commitSigningKey
    integrations.azure[].credentials[].organizations[] integrations.azure[].credentials[].personalAccessToken
    integrations.azure[].credentials[].clientId integrations.azure[].credentials[].clientSecret
    integrations.azure[].credentials[].tenantId integrations.azure[].credentials[].managedIdentityClientId
    integrations.gerrit[].host integrations.gerrit[].gitilesBaseUrl integrations.gerrit[].baseUrl
    integrations.gerrit[].cloneUrl integrations.gerrit[].disableEditUrl integrations.gerrit[].username
    integrations.gerrit[].password integrations.gerrit[].commitSigningKey
    integrations.gitea[].host integrations.gitea[].baseUrl integrations.gitea[].username
    integrations.gitea[].password integrations.gitea[].commitSigningKey
    integrations.harness[].host integrations.harness[].apiKey integrations.harness[].token
    integrations.awsS3[].endpoint integrations.awsS3[].s3ForcePathStyle integrations.awsS3[].accessKeyId
    integrations.awsS3[].secretAccessKey integrations.awsS3[].roleArn integrations.awsS3[].externalId
    integrations.awsCodeCommit[].region integrations.awsCodeCommit[].host integrations.awsCodeCommit[].accessKeyId
    integrations.awsCodeCommit[].secretAccessKey integrations.awsCodeCommit[].roleArn
    integrations.awsCodeCommit[].externalId
    integrations.azureBlobStorage[].accountName integrations.azureBlobStorage[].accountKey
    integrations.azureBlobStorage[].sasToken integrations.azureBlobStorage[].connectionString
    integrations.azureBlobStorage[].endpointSuffix integrations.azureBlobStorage[].endpoint
    integrations.azureBlobStorage[].host integrations.azureBlobStorage[].aadCredential.clientId
    integrations.azureBlobStorage[].aadCredential.tenantId
    integrations.azureBlobStorage[].aadCredential.clientSecret
    integrations.googleGcs.clientEmail integrations.googleGcs.privateKey
    integrations.aws.**

    permission.enabled permission.EXPERIMENTAL_enableBatchedRequests permission.rbac.** permission.permittedPlugins[]

    proxy.skipInvalidProxies proxy.reviveConsumedRequestBodies
    proxy.endpoints.*.target proxy.endpoints.*.pathRewrite.* proxy.endpoints.*.changeOrigin
    proxy.endpoints.*.headers.* proxy.endpoints.*.allowedMethods[] proxy.endpoints.*.allowedHeaders[]
    proxy.endpoints.*.credentials proxy.endpoints.*.secure proxy.endpoints.*.timeout
    proxy.endpoints.*.proxyTimeout proxy.endpoints.*.followRedirects proxy.endpoints.*.xfwd
    proxy.endpoints.*.auth proxy.endpoints.*.router.** proxy.endpoints.*.ws proxy.endpoints.*.prependPath
    proxy.endpoints.*.ignorePath proxy.endpoints.*.cookieDomainRewrite.** proxy.endpoints.*.cookiePathRewrite.**
    proxy.endpoints.*.hostRewrite proxy.endpoints.*.autoRewrite proxy.endpoints.*.protocolRewrite
    proxy.endpoints.*.preserveHeaderKeyCase proxy.endpoints.*.localAddress proxy.endpoints.*.method
    proxy.endpoints.*.logLevel
    proxy./*.**

    callboard.api.entityCacheBytes
    callboard.database.schema callboard.database.pooler
    callboard.doctor.rowsPerSecond callboard.doctor.interval callboard.doctor.repair
    callboard.engine.concurrency callboard.engine.queue callboard.engine.commitBatch callboard.engine.pendingBytes
    callboard.engine.stitchBatch callboard.engine.lease callboard.engine.janitorInterval
    callboard.engine.drainTimeout callboard.engine.changesKept
    callboard.limits.emittedEntities callboard.limits.emittedBytes callboard.limits.emittedRelations
    callboard.limits.errors callboard.limits.parallelParses callboard.limits.processorTimeout callboard.limits.fileBytes
    callboard.processors.openapi callboard.processors.codeOwners callboard.processors.annotateScmSlug
    callboard.reading.maxBodyBytes callboard.reading.maxArchiveBytes callboard.reading.maxUnpackedBytes
    callboard.reading.maxArchiveEntries callboard.reading.totalTime callboard.reading.connectTime
    callboard.reading.idleTime callboard.reading.maxConcurrentPerHost callboard.reading.maxConcurrent
    callboard.reading.maxPause
";

/// Keys that may also be an object of units.
pub(crate) const DURATIONS: &str = "
    backend.server.headersTimeout backend.server.requestTimeout backend.server.keepAliveTimeout backend.server.timeout
    backend.lifecycle.startupRequestPauseTimeout backend.lifecycle.serverShutdownDelay backend.rateLimit.window
    catalog.processingInterval catalog.stitchingStrategy.pollingInterval catalog.stitchingStrategy.stitchTimeout
    callboard.reading.totalTime callboard.reading.connectTime callboard.reading.idleTime callboard.reading.maxPause
    callboard.engine.lease callboard.engine.janitorInterval callboard.engine.drainTimeout
    callboard.limits.processorTimeout callboard.doctor.interval
";

pub(crate) const DURATION_UNITS: [&str; 8] =
    ["years", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds"];

/// Keys whose values are secret wherever they are shown. User names and client ids are not among them, other than in
/// Backstage: they are short words, and masking every `git` would make logs unreadable.
pub(crate) const SECRETS: &str = "
    backend.auth.keys[].secret backend.auth.externalAccess[].options.token
    backend.auth.externalAccess[].options.secret backend.https.certificate.key
    backend.database.connection.password backend.database.plugin.*.connection.password
    backend.database.connection.ssl.key backend.database.plugin.*.connection.ssl.key
    integrations.github[].token integrations.github[].apps[].clientSecret integrations.github[].apps[].privateKey
    integrations.github[].apps[].webhookSecret integrations.gitlab[].token integrations.gitlab[].commitSigningKey
    integrations.bitbucketCloud[].token integrations.bitbucketCloud[].appPassword
    integrations.bitbucketCloud[].clientSecret
    integrations.bitbucketServer[].token
    integrations.bitbucketServer[].password integrations.azure[].credentials[].personalAccessToken
    integrations.azure[].credentials[].clientSecret integrations.gerrit[].password
    integrations.gitea[].password integrations.harness[].apiKey
    integrations.harness[].token integrations.awsS3[].secretAccessKey
    integrations.awsCodeCommit[].secretAccessKey integrations.azureBlobStorage[].accountKey
    integrations.azureBlobStorage[].sasToken integrations.azureBlobStorage[].connectionString
    integrations.azureBlobStorage[].aadCredential.clientSecret integrations.googleGcs.privateKey
    integrations.aws.mainAccount.accessKeyId integrations.aws.mainAccount.secretAccessKey
    integrations.aws.mainAccount.externalId integrations.aws.accountDefaults.externalId
    integrations.aws.accounts[].accessKeyId integrations.aws.accounts[].secretAccessKey
    integrations.aws.accounts[].externalId proxy.endpoints.*.auth proxy./*.auth
    events.modules.github.webhookSecret events.modules.gitlab.webhookSecret
    events.modules.azureDevOps.webhookSecret
";

const IDLE_TIME: &str = "'backend.server.headersTimeout' also bounds how long a connection may idle";
const NO_POLLING: &str = "stitching begins when there is something to stitch";
const NO_AUTH: &str = "nobody is asked for credentials yet";
const NO_EVENTS: &str = "events are not received yet";
const NO_PROVIDER: &str = "there is no built-in provider for it yet";
const REMOVED_IN_4: &str = "removed in catalog backend 4.0";

/// Keys with something to say about.
pub(crate) const STANDINGS: &[(&str, Standing)] = &[
    ("catalog.stitchingStrategy.mode", Standing::Ignored(REMOVED_IN_4)),
    ("catalog.stitchingStrategy.pollingInterval", Standing::Ignored(NO_POLLING)),
    ("catalog.stitchingStrategy.stitchTimeout", Standing::Ignored(NO_POLLING)),
    ("catalog.enableRelationsCompatibility", Standing::Ignored(REMOVED_IN_4)),
    ("catalog.disableRelationsCompatibility", Standing::Ignored(REMOVED_IN_4)),
    ("catalog.useUrlReadersSearch", Standing::Ignored(REMOVED_IN_4)),
    (
        "catalog.processors.github",
        Standing::Refused(
            "Using deprecated configuration for catalog.processors.github, move to using integrations.github instead",
        ),
    ),
    (
        "catalog.processors.gitlabApi",
        Standing::Refused(
            "Using deprecated configuration for catalog.processors.gitlabApi, move to using integrations.gitlab instead",
        ),
    ),
    (
        "catalog.processors.bitbucketApi",
        Standing::Refused(
            "Using deprecated configuration for catalog.processors.bitbucketApi, move to using integrations.bitbucket instead",
        ),
    ),
    (
        "catalog.processors.azureApi",
        Standing::Refused(
            "Using deprecated configuration for catalog.processors.azureApi, move to using integrations.azure instead",
        ),
    ),
    (
        "integrations.bitbucket",
        Standing::Ignored("use 'integrations.bitbucketCloud' or 'integrations.bitbucketServer'"),
    ),
    ("integrations.bitbucket[].**", Standing::Known),
    (
        "integrations.azure[].token",
        Standing::Refused("'integrations.azure[].token' has been removed, use 'credentials' instead"),
    ),
    (
        "integrations.azure[].credential",
        Standing::Refused("'integrations.azure[].credential' has been removed, use 'credentials' instead"),
    ),
    (
        "integrations.bitbucketCloud[].appPassword",
        Standing::Deprecated("Bitbucket retires app passwords, use 'token' instead"),
    ),
    (
        "integrations.gitlab[].retry",
        Standing::Ignored("the limits of 'callboard.reading' hold for requests to all hosts"),
    ),
    ("catalog.locations[].presence", Standing::Ignored("locations of the configuration are always required")),
    (
        "catalog.actions.experimentalCatalogLayersDescriptions.enabled",
        Standing::Ignored("actions are described in one way"),
    ),
    ("catalog.scmEvents", Standing::Ignored(NO_EVENTS)),
    ("catalog.providers.awsS3", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.azureBlob", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.azureDevOps", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.backstageOpenapi", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.bitbucketCloud", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.bitbucketServer", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.gcp", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.gerrit", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.gitea", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.github", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.githubOrg", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.gitlab", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.ldapOrg", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.microsoftGraphOrg", Standing::Ignored(NO_PROVIDER)),
    ("catalog.providers.puppetdb", Standing::Ignored(NO_PROVIDER)),
    ("events", Standing::Ignored(NO_EVENTS)),
    ("permission.enabled", Standing::Ignored("permissions are not checked yet")),
    ("backend.auth.externalAccess", Standing::Ignored(NO_AUTH)),
    ("backend.auth.keys", Standing::Ignored(NO_AUTH)),
    ("backend.auth.pluginKeyStore", Standing::Ignored(NO_AUTH)),
    (
        "backend.database.knexConfig.pool.min",
        Standing::Ignored("connections are opened when they are needed"),
    ),
    (
        "backend.database.knexConfig.searchPath",
        Standing::Ignored("the tables are in the schema of 'callboard.database.schema'"),
    ),
    (
        "backend.hsts",
        Standing::Ignored("the header 'Strict-Transport-Security' is always that of the default"),
    ),
    ("backend.rateLimit", Standing::Ignored("requests are not counted yet")),
    ("backend.server.keepAliveTimeout", Standing::Ignored(IDLE_TIME)),
    ("backend.server.maxHeadersCount", Standing::Ignored("the size of all headers together is limited")),
    (
        "backend.server.maxRequestsPerSocket",
        Standing::Ignored("a connection may have any number of requests"),
    ),
    ("backend.server.timeout", Standing::Ignored(IDLE_TIME)),
    ("backend.trustProxy", Standing::Ignored("nothing depends on the addresses of clients yet")),
    ("proxy", Standing::Ignored("there is no proxy yet")),
    ("proxy./*", Standing::Deprecated("move the route below 'proxy.endpoints'")),
];
