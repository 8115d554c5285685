//! From the configuration to what the engine and the pipeline are set to.

use std::collections::BTreeMap;
use std::time::Duration;

use callboard_config::{Config, ConfigError};
use callboard_engine::{
    DoctorSettings, EngineSettings, Interval, OrphanStrategy, ProcessorOptions, RunLimits,
};
use serde_json::Value;

use crate::Error;

/// Nothing is set to rest or last longer; what goes far beyond cannot be added to a date.
const DURATION_MAX: Duration = Duration::from_hours(24 * 365);

/// What the loop is set to; `None` means that this process runs none and only serves.
pub(crate) fn engine_settings(config: &Config) -> Result<Option<EngineSettings>, Error> {
    let mut settings = EngineSettings::default();
    match config.get_opt_value("catalog.processingInterval")? {
        Some(Value::Bool(false)) => return Ok(None),
        None => {}
        Some(_) => {
            let interval = duration(config, "catalog.processingInterval")?.unwrap_or_default();
            settings.interval = Interval::from_processing_interval(interval);
        }
    }
    settings.orphans = strategy(config, "catalog.orphanStrategy")?;
    settings.provider_orphans = strategy(config, "catalog.orphanProviderStrategy")?;
    let set = |key: &str, to: &mut usize| set_usize(config, &format!("callboard.engine.{key}"), to);
    set("concurrency", &mut settings.concurrency)?;
    set("queue", &mut settings.queue_max)?;
    set("commitBatch", &mut settings.commit_batch_max)?;
    set("pendingBytes", &mut settings.pending_bytes_max)?;
    set("stitchBatch", &mut settings.stitch_batch_max)?;
    set_duration(config, "callboard.engine.lease", &mut settings.lease)?;
    set_duration(config, "callboard.engine.janitorInterval", &mut settings.janitor_interval)?;
    set_duration(config, "callboard.engine.drainTimeout", &mut settings.drain_timeout)?;
    if let Some(kept) = config.get_opt_u64("callboard.engine.changesKept")? {
        settings.changes_kept = kept;
    }
    settings.doctor = doctor_settings(config)?;
    Ok(Some(settings))
}

/// How the store and the query index are looked after; `None` means not at all.
pub(crate) fn doctor_settings(config: &Config) -> Result<Option<DoctorSettings>, Error> {
    let mut settings = DoctorSettings::default();
    if let Some(rate) = config.get_opt_u64("callboard.doctor.rowsPerSecond")? {
        if rate == 0 {
            return Ok(None);
        }
        settings.rows_per_second = u32::try_from(rate).unwrap_or(u32::MAX);
    }
    set_duration(config, "callboard.doctor.interval", &mut settings.interval)?;
    settings.mends = config.get_opt_bool("callboard.doctor.repair")?.unwrap_or(settings.mends);
    Ok(Some(settings))
}

/// The limits of one run.
pub(crate) fn run_limits(config: &Config) -> Result<RunLimits, Error> {
    let mut limits = RunLimits::default();
    let set = |key: &str, to: &mut usize| set_usize(config, &format!("callboard.limits.{key}"), to);
    set("emittedEntities", &mut limits.emitted_entities_max)?;
    set("emittedBytes", &mut limits.emitted_bytes_max)?;
    set("emittedRelations", &mut limits.emitted_relations_max)?;
    set("errors", &mut limits.errors_max)?;
    set("parallelParses", &mut limits.parallel_parses_max)?;
    set_duration(config, "callboard.limits.processorTimeout", &mut limits.processor_timeout)?;
    Ok(limits)
}

/// `catalog.processorOptions` of the processors with these names.
pub(crate) fn processor_options<'a>(
    config: &Config,
    names: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, ProcessorOptions>, Error> {
    let options = |name: &str| {
        let options = format!("catalog.processorOptions.{name}");
        let is_disabled = unless_no_key(config.get_opt_bool(&format!("{options}.disabled")))?;
        let priority = unless_no_key(config.get_opt_f64(&format!("{options}.priority")))?;
        Ok((name.to_owned(), ProcessorOptions { is_disabled: is_disabled.unwrap_or(false), priority }))
    };
    names.map(options).collect()
}

/// Whether `catalog.providerOptions.<name>.disabled` says that a provider is left out.
pub(crate) fn is_provider_disabled(config: &Config, name: &str) -> Result<bool, Error> {
    let disabled = config.get_opt_bool(&format!("catalog.providerOptions.{name}.disabled"));
    Ok(unless_no_key(disabled)?.unwrap_or(false))
}

/// A plugin may have any name. One that cannot be a key simply has no options.
fn unless_no_key<T>(read: Result<Option<T>, ConfigError>) -> Result<Option<T>, Error> {
    match read {
        Err(ConfigError::InvalidKey { .. }) => Ok(None),
        read => Ok(read?),
    }
}

fn strategy(config: &Config, key: &str) -> Result<OrphanStrategy, Error> {
    match config.get_opt_str(key)?.as_deref() {
        None | Some("delete") => Ok(OrphanStrategy::Delete),
        Some("keep") => Ok(OrphanStrategy::Keep),
        Some(other) => Err(Error::Setting(format!(
            "Invalid value '{other}' in config for key '{key}', wanted 'keep' or 'delete'"
        ))),
    }
}

fn set_usize(config: &Config, key: &str, to: &mut usize) -> Result<(), Error> {
    if let Some(value) = config.get_opt_u64(key)? {
        // No machine holds more of anything, and channels and semaphores refuse numbers far beyond.
        let value = u32::try_from(value).ok().filter(|value| *value > 0);
        *to = value.and_then(|value| usize::try_from(value).ok()).ok_or_else(|| {
            Error::Setting(format!("Invalid value in config for key '{key}', wanted 1 to {}", u32::MAX))
        })?;
    }
    Ok(())
}

fn duration(config: &Config, key: &str) -> Result<Option<Duration>, Error> {
    let value = config.get_opt_duration(key)?;
    if value.is_some_and(|value| value > DURATION_MAX) {
        return Err(Error::Setting(format!(
            "Invalid value in config for key '{key}', wanted a year or less"
        )));
    }
    Ok(value)
}

fn set_duration(config: &Config, key: &str, to: &mut Duration) -> Result<(), Error> {
    if let Some(value) = duration(config, key)? {
        if value.is_zero() {
            return Err(Error::Setting(format!(
                "Invalid value in config for key '{key}', wanted more than nothing"
            )));
        }
        *to = value;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> Config {
        Config::from_value("test", value)
    }

    #[test]
    fn the_processing_interval_is_a_duration_or_false() {
        let seconds =
            |min, max| Interval { min: Duration::from_secs_f64(min), max: Duration::from_secs_f64(max) };
        for (value, expected) in [
            (json!({"catalog": {}}), Some(seconds(100.0, 150.0))),
            (json!({"catalog": {"processingInterval": {"minutes": 30}}}), Some(seconds(1800.0, 2700.0))),
            (json!({"catalog": {"processingInterval": "PT5S"}}), Some(seconds(5.0, 7.5))),
            (json!({"catalog": {"processingInterval": {"milliseconds": 10}}}), Some(seconds(1.0, 1.5))),
            (json!({"catalog": {"processingInterval": false}}), None),
        ] {
            let settings = engine_settings(&config(value.clone())).unwrap();
            assert_eq!(settings.map(|settings| settings.interval), expected, "{value}");
        }
    }

    #[test]
    fn values_that_make_no_sense_are_refused_by_key() {
        for (value, key) in [
            (json!({"catalog": {"orphanStrategy": "burn"}}), "catalog.orphanStrategy"),
            (json!({"callboard": {"engine": {"queue": 0}}}), "callboard.engine.queue"),
            (json!({"callboard": {"engine": {"commitBatch": u64::MAX}}}), "callboard.engine.commitBatch"),
            (json!({"callboard": {"engine": {"lease": {"seconds": 0}}}}), "callboard.engine.lease"),
            (json!({"callboard": {"engine": {"lease": {"days": 1e9}}}}), "callboard.engine.lease"),
            (json!({"callboard": {"doctor": {"interval": {"hours": 0}}}}), "callboard.doctor.interval"),
            (json!({"catalog": {"processingInterval": {"days": 1e9}}}), "catalog.processingInterval"),
        ] {
            let message = engine_settings(&config(value.clone())).unwrap_err().to_string();
            assert!(message.contains(key), "{message}");
        }
    }

    #[test]
    fn the_doctor_can_be_slowed_down_and_sent_away() {
        let of = |doctor: Value| doctor_settings(&config(json!({"callboard": {"doctor": doctor}}))).unwrap();
        let default = DoctorSettings::default();
        assert_eq!(of(json!({})), Some(default));
        assert_eq!(of(json!({"rowsPerSecond": 0})), None);
        let hour = Duration::from_hours(1);
        let expected = DoctorSettings { rows_per_second: 5, interval: 2 * hour, mends: false };
        assert_eq!(
            of(json!({"rowsPerSecond": 5, "interval": {"hours": 2}, "repair": false})),
            Some(expected)
        );
    }

    #[test]
    fn processor_options_are_read_by_name_and_converted() {
        let of = |options: Value, name: &str| {
            let config = config(json!({"catalog": {"processorOptions": {name: options}}}));
            let read = processor_options(&config, std::iter::once(name));
            read.map(|mut options| options.remove(name).unwrap()).map_err(|error| error.to_string())
        };
        let options = |is_disabled, priority| Ok(ProcessorOptions { is_disabled, priority });
        assert_eq!(of(json!({"priority": 5}), "a"), options(false, Some(5.0)));
        assert_eq!(of(json!({"priority": 2.5, "disabled": false}), "url-reader"), options(false, Some(2.5)));
        assert_eq!(of(json!({"priority": "-1", "disabled": "true"}), "a"), options(true, Some(-1.0)));
        assert_eq!(of(json!({"disabled": null}), "a"), options(false, None));
        assert_eq!(of(json!({"disabled": true}), "no key"), options(false, None));
        for (key, value) in [("priority", json!("x")), ("disabled", json!("maybe")), ("disabled", json!([]))]
        {
            let message = of(json!({key: value}), "a").unwrap_err();
            assert!(message.contains(&format!("'catalog.processorOptions.a.{key}'")), "{message}");
        }
    }

    #[test]
    fn providers_are_disabled_by_name() {
        let of = |disabled: Value, name: &str| {
            let config = config(json!({"catalog": {"providerOptions": {name: {"disabled": disabled}}}}));
            is_provider_disabled(&config, name).map_err(|error| error.to_string())
        };
        assert_eq!(of(json!(true), "a"), Ok(true));
        assert_eq!(of(json!("true"), "a"), Ok(true));
        assert_eq!(of(json!("off"), "a"), Ok(false));
        assert_eq!(of(json!(true), "no key"), Ok(false));
        assert!(of(json!("maybe"), "a").unwrap_err().contains("'catalog.providerOptions.a.disabled'"));
        assert!(!is_provider_disabled(&config(json!({})), "a").unwrap());
    }
}
