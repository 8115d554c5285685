use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};

use callboard_sdk::{
    CacheState, CancellationToken, CatalogProcessor, Emit, Entity, EntityDataParser, LocationSpec,
    ProcessorContext, ScmFile, ScmResolver, async_trait,
};
use futures::FutureExt as _;
use serde_json::{Value, json};

use super::*;
use crate::PipelineParts;
use crate::testing::{Act, Fake, component, failure, location, parts, summaries};

fn apart(mut parts: PipelineParts) -> Arc<Pipeline> {
    parts.run_threads = Some(RunThreads::with_stuck_max(1).unwrap());
    Arc::new(Pipeline::new(parts))
}

fn input(entity: Value) -> RunInput {
    RunInput {
        entity: Entity::from_value(entity).unwrap(),
        cache: CacheState::default(),
        may_keep: false,
        cancellation: CancellationToken::new(),
        progress: RunProgress::default(),
    }
}

fn messages(output: &RunOutput) -> Vec<String> {
    summaries(output.result.as_ref().unwrap_err())
}

fn spawn<T: Send + 'static>(
    threads: &RunThreads,
    future: impl Future<Output = T> + Send + 'static,
) -> Option<Apart<'_, T>> {
    threads.spawn(RunProgress::default(), Duration::from_mins(1), future)
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_nobody_waits_for_is_stuck_after_a_while_until_it_comes_back() {
    let threads = RunThreads::with_stuck_max(1).unwrap();
    let (release, held) = mpsc::channel::<()>();
    let blocked = spawn(&threads, async move { held.recv().is_ok() }).unwrap();
    assert!((&mut spawn(&threads, async { 7 }).unwrap().task).await.is_ok_and(|seven| seven == 7));
    drop(blocked);
    assert_eq!(threads.stuck(), 0);
    tokio::time::advance(Duration::from_mins(1)).await;
    assert!(spawn(&threads, async {}).is_none());
    release.send(()).unwrap();
    while threads.stuck() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(spawn(&threads, async {}).is_some());
}

#[test]
fn a_thread_that_does_not_come_back_does_not_hold_up_the_end() {
    let (release, held) = mpsc::channel::<()>();
    let main = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    main.block_on(async {
        let threads = RunThreads::new().unwrap();
        let (started, is_started) = tokio::sync::oneshot::channel();
        let blocked = spawn(&threads, async move { (started.send(()), held.recv().is_ok()) });
        is_started.await.unwrap();
        drop(blocked);
        drop(threads);
    });
    drop(main);
    release.send(()).unwrap();
}

#[tokio::test]
async fn runs_have_the_same_outcome_on_a_thread_of_their_own() {
    for fake in
        [Fake::new("p"), Fake::new("p").pre([failure("NOPE")]), Fake::new("p").pre([Act::Panic("oh")])]
    {
        let here = crate::testing::run(&crate::testing::pipeline([fake.clone()]), component()).await;
        let there = apart(parts([fake])).run_contained(input(component())).await;
        assert_eq!(there.is_pure, here.is_pure);
        match (there.result, here.result) {
            (Ok(there), Ok(here)) => assert_eq!(there.entity, here.entity),
            (Err(there), Err(here)) => assert_eq!(summaries(&there), summaries(&here)),
            different => panic!("{different:?}"),
        }
    }
}

#[tokio::test]
async fn a_call_that_yields_and_does_not_come_back_is_ended() {
    let mut parts = parts([Fake::new("p").pre([Act::Hang])]);
    parts.limits.processor_timeout = Duration::from_millis(1);
    let output = apart(parts).run_contained(input(component())).await;
    assert_eq!(
        messages(&output),
        ["InputError: Processor p threw an error while preprocessing; caused by Error: nothing came of the \
             processor for 0 s (callboard.limits.processorTimeout)"]
    );
    assert!(!output.is_pure);
}

/// Panics over every target.
#[derive(Debug)]
struct PanickingScm;

impl ScmResolver for PanickingScm {
    fn resolve_url(&self, _target: &str, _base: &str) -> Result<String, String> {
        panic!("lost")
    }

    fn resolve_edit_url(&self, _url: &str) -> Option<String> {
        None
    }

    fn integration_kind(&self, _url: &str) -> Option<&'static str> {
        None
    }

    fn file(&self, _url: &str) -> Option<ScmFile> {
        None
    }

    fn fingerprint(&self) -> String {
        String::new()
    }
}

#[tokio::test]
async fn a_panic_outside_of_all_stages_is_an_error_of_the_run_with_the_same_text_each_time() {
    let mut parts = parts([Fake::new("p")]);
    parts.scm = Arc::new(PanickingScm);
    let pipeline = apart(parts);
    for _ in 0..2 {
        let output = pipeline.run_contained(input(location(json!({"target": "a"})))).await;
        assert_eq!(messages(&output), ["Error: the processor panicked: lost"]);
        assert!(!output.is_pure);
    }
}

/// Says that it has begun, and blocks until it hears something.
#[derive(Debug)]
struct BlockingParser {
    begun: Sender<()>,
    released: Mutex<Receiver<()>>,
}

impl EntityDataParser for BlockingParser {
    fn parse<'a>(
        &'a self,
        _data: &'a [u8],
        _location: &'a LocationSpec,
    ) -> Box<dyn Iterator<Item = Emit> + Send + 'a> {
        self.begun.send(()).unwrap();
        self.released.lock().unwrap().recv().unwrap_or_default();
        Box::new(std::iter::empty())
    }
}

/// A pipeline with one parse slot, whose parser blocks.
fn blocking() -> (Arc<Pipeline>, Receiver<()>, Sender<()>) {
    let (begun, is_begun) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let mut parts = parts([Fake::new("p").read("url:a", [Act::Parse("")])]);
    parts.parser = Arc::new(BlockingParser { begun, released: Mutex::new(released) });
    parts.limits.parallel_parses_max = 1;
    (apart(parts), is_begun, release)
}

#[tokio::test]
async fn when_nobody_waits_for_a_run_any_more_others_parse_in_its_place() {
    let (pipeline, is_begun, release) = blocking();
    let spec = LocationSpec::new("url", "a");
    let mut walk = Box::pin(pipeline.dry_run(&spec));
    assert!((&mut walk).now_or_never().is_none());
    is_begun.recv().unwrap();
    assert_eq!(pipeline.parse_slots().available_permits(), 0);
    drop(walk);
    assert_eq!(pipeline.parse_slots().available_permits(), 1);
    release.send(()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_parser_that_blocks_is_given_up_and_others_parse_in_its_place() {
    let (pipeline, is_begun, release) = blocking();
    let mut run = Box::pin(pipeline.run_contained(input(location(json!({"target": "a"})))));
    assert!((&mut run).now_or_never().is_none());
    is_begun.recv().unwrap();
    assert_eq!(pipeline.parse_slots().available_permits(), 0);
    let output = run.await;
    assert_eq!(
        messages(&output),
        ["InputError: Processor p threw an error; caused by Error: nothing came of the processor for 120 s \
             (callboard.limits.processorTimeout)"]
    );
    assert!(!output.is_pure);
    assert_eq!(pipeline.parse_slots().available_permits(), 1);

    let refused = pipeline.run_contained(input(component())).await;
    assert_eq!(messages(&refused), ["Error: 1 processors did not come back; restart the daemon"]);
    assert!(!refused.is_pure);
    release.send(()).unwrap();
    while pipeline.run_contained(input(component())).await.result.is_err() {}
    assert_eq!(pipeline.parse_slots().available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_given_up_when_nothing_happens_or_when_one_call_never_ends() {
    let limit = Duration::from_mins(2);
    let advance = || tokio::time::advance(limit + STUCK_GRACE);
    let progress = RunProgress::default();
    let mut watch = Watch::begin(&progress, limit);
    for _ in 0..100 {
        progress.enter(0);
        advance().await;
        watch.look().unwrap();
    }
    let mut looks = 0;
    let error = loop {
        progress.of_call().step();
        advance().await;
        looks += 1;
        if let Err(error) = watch.look() {
            break error;
        }
    };
    assert_eq!(error, took_too_long(limit));
    assert_eq!(looks, 29);

    let mut watch = Watch::begin(&progress, limit);
    progress.of_call().waiting(async { watch.look().unwrap() }).await;
    assert_eq!(watch.look().unwrap_err(), timed_out(limit));
}

/// Tells the thread on which it is called.
#[derive(Debug, Default)]
struct Whereabouts(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl CatalogProcessor for Whereabouts {
    fn name(&self) -> &'static str {
        "whereabouts"
    }

    async fn pre_process_entity(
        &self,
        entity: Entity,
        _cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        self.0.lock().unwrap().push(std::thread::current().name().unwrap_or_default().to_owned());
        Ok(entity)
    }
}

#[tokio::test]
async fn dry_runs_and_validations_do_not_block_the_threads_of_those_who_ask_for_them() {
    let whereabouts = Whereabouts::default();
    let threads = Arc::clone(&whereabouts.0);
    let mut parts = parts([Fake::new("p").read("url:a", [])]);
    parts.processors.push(Arc::new(whereabouts));
    let pipeline = apart(parts);
    let spec = LocationSpec::new("url", "a");
    pipeline.dry_run(&spec).await.unwrap();
    assert!(pipeline.validate(Entity::from_value(component()).unwrap(), &spec).await.is_empty());
    assert_eq!(*threads.lock().unwrap(), ["callboard-run", "callboard-run"]);
}
