use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use callboard_sdk::testkit::{FakeClock, FakeReader, TestKit, conformance};
use callboard_sdk::{
    CacheState, CancellationToken, ContextParts, EmitSink, EntityDataParser, LoadContent, ReadTreeOptions,
    ReadTreeResponse, ReadUrlOptions, ReadUrlResponse, YamlParser,
};
use futures::FutureExt as _;
use serde_json::{Value, json};

use super::*;

const URL: &str = "https://example.com/a.yaml";
const TWO: &str = "kind: A\n---\nkind: B\n";

fn kit(reader: &FakeReader) -> TestKit {
    TestKit::new(UrlReaderProcessor::new(Arc::new(reader.clone())))
}

fn location() -> LocationSpec {
    LocationSpec::new("url", URL)
}

fn optional() -> LocationSpec {
    LocationSpec { presence: Some(Presence::Optional), ..location() }
}

#[tokio::test]
async fn entities_are_followed_by_the_refresh_key() {
    let reader = FakeReader::default();
    reader.put(URL, TWO, Some("e1"));
    let mut kit = kit(&reader);
    let run = kit.read_location(&location()).await;
    assert_eq!(run.entities().len(), 2);
    assert_eq!(run.emitted.last(), Some(&results::refresh(format!("url:{URL}"))));
    assert_eq!(
        kit.cache(),
        &json!({"url-reader": {"@targets": {URL: {"validator": "e1"}}}, "@emitted": [URL]})
    );
}

#[tokio::test]
async fn an_unchanged_file_stands_and_keeps_its_etag() {
    let reader = FakeReader::default();
    reader.put(URL, TWO, Some("e1"));
    let mut kit = kit(&reader);
    let first = kit.read_location(&location()).await;
    let cache = kit.cache().clone();
    for _ in 0..2 {
        assert_eq!(kit.read_location(&location()).await, first);
        assert_eq!(kit.cache(), &cache);
    }
    let sent: Vec<_> = reader.requests().into_iter().map(|request| request.etag).collect();
    assert_eq!(sent, [None, Some("e1".to_owned()), Some("e1".to_owned())]);
}

#[tokio::test]
async fn a_result_without_an_etag_ends_the_trust_in_the_old_one() {
    let reader = FakeReader::default();
    let mut kit = kit(&reader);
    reader.put(URL, TWO, Some("e1"));
    kit.read_location(&location()).await;
    reader.put(URL, "kind: C\n", None);
    assert_eq!(kit.read_location(&location()).await.entities().len(), 1);
    reader.put(URL, TWO, Some("e1"));
    assert_eq!(kit.read_location(&location()).await.entities().len(), 2);
}

#[tokio::test]
async fn an_empty_answer_where_there_were_entities_is_an_error() {
    let reader = FakeReader::default();
    let mut kit = kit(&reader);
    reader.put(URL, "", None);
    assert_eq!(kit.read_location(&location()).await.errors().len(), 0, "nothing was there before");
    reader.put(URL, TWO, None);
    assert_eq!(kit.read_location(&location()).await.entities().len(), 2);
    reader.put(URL, "", Some("e2"));
    for _ in 0..2 {
        let run = kit.read_location(&location()).await;
        assert!(run.errors()[0].message.contains("is empty (0 bytes) and was not before"), "{run:?}");
    }
    reader.put(URL, "# none any more\n", Some("e3"));
    let run = kit.read_location(&location()).await;
    assert_eq!((run.entities().len(), run.errors().len()), (0, 0));
}

#[tokio::test]
async fn a_file_with_an_error_in_it_is_not_remembered() {
    let reader = FakeReader::default();
    reader.put(URL, "kind: A\n---\n12\n", Some("e1"));
    let mut kit = kit(&reader);
    let run = kit.read_location(&location()).await;
    assert_eq!((run.entities().len(), run.errors().len(), run.refresh_keys().len()), (1, 1, 1));
    assert_eq!(kit.cache(), &json!(null));
}

#[tokio::test]
async fn nothing_found_is_an_error_unless_the_location_is_optional() {
    let reader = FakeReader::default();
    let run = kit(&reader).read_location(&location()).await;
    let [error] = run.errors()[..] else { panic!("{run:?}") };
    assert_eq!(error.name, "NotFoundError");
    assert_eq!(error.message, format!("Unable to read url, no matching files found for {URL}"));
    assert_eq!(run.refresh_keys(), [format!("url:{URL}")]);

    let run = kit(&reader).read_location(&optional()).await;
    assert_eq!(run.emitted, [results::refresh(format!("url:{URL}"))]);
}

#[tokio::test]
async fn failed_reads_are_errors_and_nothing_else() {
    let failed = ReadError::failed("could not read it, 503 Service Unavailable");
    let cases = [
        (failed.clone(), location(), "Unable to read url, could not read it, 503 Service Unavailable"),
        (failed, optional(), "Unable to read url, could not read it, 503 Service Unavailable"),
        (ReadError::NotAllowed("no".to_owned()), location(), "Unable to read url, no"),
        (ReadError::NotModified, location(), "Unable to read url, "),
    ];
    for (error, location, expected) in cases {
        let reader = FakeReader::default();
        reader.fail(URL, error);
        let run = kit(&reader).read_location(&location).await;
        assert_eq!(run.result, Ok(Handled::Yes));
        assert_eq!(run.emitted, [results::general_error(&location, expected)]);
    }
}

#[tokio::test]
async fn a_target_that_is_not_found_is_an_error_unless_the_location_is_optional() {
    let twenty = Arc::new(Twenty::default());
    *twenty.search_failure.lock().unwrap() = Some(ReadError::NotFound("gone".to_owned()));
    let mut kit = TestKit::new(UrlReaderProcessor::new(Arc::new(TwentyReader(twenty))));
    let run = kit.read_location(&location()).await;
    assert_eq!(run.emitted, [results::not_found_error(&location(), "Unable to read url, gone")]);
    assert!(kit.read_location(&optional()).await.emitted.is_empty());
}

#[tokio::test]
async fn long_error_texts_are_cut() {
    let reader = FakeReader::default();
    reader.fail(URL, ReadError::failed(format!("x{}", "\u{1f600}".repeat(3000))));
    let run = kit(&reader).read_location(&location()).await;
    assert_eq!(run.errors()[0].message.encode_utf16().count(), 4999);
    reader.fail(URL, ReadError::failed("x".repeat(6000)));
    let run = kit(&reader).read_location(&location()).await;
    assert_eq!(run.errors()[0].message.len(), 5000);
}

#[tokio::test]
async fn files_of_a_glob_carry_their_own_location() {
    let reader = FakeReader::default();
    reader.put("https://example.com/1.yaml", "kind: A", None);
    reader.put("https://example.com/2.yaml", "kind: B", None);
    let glob = LocationSpec::new("url", "https://example.com/*.yaml");
    let run = kit(&reader).read_location(&glob).await;
    let sources: Vec<_> = run
        .emitted
        .iter()
        .map(|item| match item {
            Emit::Entity { location, .. } => location.target.as_str(),
            Emit::Refresh { key } => key.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        sources,
        ["https://example.com/1.yaml", "https://example.com/2.yaml", "url:https://example.com/*.yaml"]
    );
}

#[tokio::test]
async fn the_contract_is_kept() {
    let reader = FakeReader::default();
    reader.put(URL, TWO, Some("e1"));
    conformance(UrlReaderProcessor::new(Arc::new(reader)), &location()).await.unwrap();
}

/// Finds twenty files; counts how many are loaded at once, and fails where it is told to.
#[derive(Debug, Default)]
struct Twenty {
    running: AtomicUsize,
    most: AtomicUsize,
    loaded: AtomicUsize,
    search_failure: Mutex<Option<ReadError>>,
    /// From which file on loading fails, and how.
    load_failure: Mutex<Option<(usize, ReadError)>>,
}

#[derive(Debug)]
struct Load(Arc<Twenty>, usize);

#[async_trait]
impl LoadContent for Load {
    async fn load(&self) -> Result<Bytes, ReadError> {
        let running = self.0.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(running, Ordering::SeqCst);
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.loaded.fetch_add(1, Ordering::SeqCst);
        match self.0.load_failure.lock().unwrap().clone() {
            Some((from, error)) if self.1 >= from => Err(error),
            _ => Ok(Bytes::from_static(b"kind: A")),
        }
    }
}

#[derive(Debug)]
struct TwentyReader(Arc<Twenty>);

#[async_trait]
impl UrlReader for TwentyReader {
    async fn read_url(&self, _: &str, _: &ReadUrlOptions) -> Result<ReadUrlResponse, ReadError> {
        Err(ReadError::failed("not used"))
    }

    async fn read_tree(&self, _: &str, _: &ReadTreeOptions) -> Result<ReadTreeResponse, ReadError> {
        Err(ReadError::failed("not used"))
    }

    async fn search(&self, _: &str, _: &SearchOptions) -> Result<SearchResponse, ReadError> {
        if let Some(error) = self.0.search_failure.lock().unwrap().clone() {
            return Err(error);
        }
        let file = |index| {
            let load = Load(Arc::clone(&self.0), index);
            SearchFile::lazy(format!("https://example.com/{index}"), Arc::new(load))
        };
        Ok(SearchResponse { files: (0..20).map(file).collect(), etag: "e".to_owned() })
    }
}

#[tokio::test]
async fn at_most_five_contents_are_loaded_at_once() {
    let twenty = Arc::new(Twenty::default());
    let processor = Arc::new(UrlReaderProcessor::new(Arc::new(TwentyReader(Arc::clone(&twenty)))));
    let (mut first, mut second) = (TestKit::shared(processor.clone()), TestKit::shared(processor));
    let location = location();
    let (one, two) = futures::join!(first.read_location(&location), second.read_location(&location));
    assert_eq!((one.entities().len(), two.entities().len()), (20, 20));
    assert_eq!(twenty.most.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn files_are_emitted_before_all_are_loaded() {
    let twenty = Arc::new(Twenty::default());
    *twenty.load_failure.lock().unwrap() = Some((7, ReadError::failed("503")));
    let run = TestKit::new(UrlReaderProcessor::new(Arc::new(TwentyReader(twenty))))
        .read_location(&location())
        .await;
    assert_eq!((run.entities().len(), run.errors().len()), (7, 1));
    assert_eq!(run.emitted.last(), Some(&results::general_error(&location(), "Unable to read url, 503")));
}

struct Forget;

impl EmitSink for Forget {
    fn emit(&mut self, _: Emit) -> Result<(), ProcessorError> {
        Ok(())
    }
}

/// Reads in a host in which nothing is ever parsed.
async fn read_without_parsing(processor: &UrlReaderProcessor) {
    let (location, clock, cancellation) = (location(), FakeClock::default(), CancellationToken::new());
    let (mut sink, mut cache) = (Forget, CacheState::from_stored(Value::Null));
    let parser: Arc<dyn EntityDataParser> = Arc::new(YamlParser::default());
    let (progress, parse_slots) = (Arc::default(), Arc::new(Semaphore::new(0)));
    let mut cx = ProcessorContext::new(ContextParts {
        processor: "url-reader",
        target: Some(&location.target),
        location: &location,
        origin_location: &location,
        sink: &mut sink,
        cache: &mut cache,
        parser: &parser,
        parse_slots: &parse_slots,
        progress: &progress,
        cancellation: &cancellation,
        clock: &clock,
    });
    processor.read_location(&location, Presence::Required, &mut cx).await.unwrap();
}

#[tokio::test]
async fn a_location_that_waits_to_be_parsed_loads_a_few_files_and_holds_up_no_other() {
    let stalled = Arc::new(Twenty::default());
    let processor = Arc::new(UrlReaderProcessor::new(Arc::new(TwentyReader(Arc::clone(&stalled)))));
    let mut waiting =
        stream::iter(0..3).map(|_| read_without_parsing(&processor).boxed()).buffer_unordered(3);
    let mut kit = TestKit::shared(processor.clone());
    let location = location();
    tokio::select! {
        _ = waiting.next() => panic!("nothing can be parsed"),
        run = kit.read_location(&location) => assert_eq!(run.entities().len(), 20),
    }
    assert_eq!(stalled.loaded.load(Ordering::SeqCst), 3 * LOADS_AHEAD_MAX + 20);
}

#[tokio::test]
async fn a_file_that_vanishes_after_it_was_listed_is_an_error_even_if_optional() {
    let twenty = Arc::new(Twenty::default());
    *twenty.load_failure.lock().unwrap() = Some((0, ReadError::NotFound("gone".to_owned())));
    let run = TestKit::new(UrlReaderProcessor::new(Arc::new(TwentyReader(twenty))))
        .read_location(&optional())
        .await;
    assert!(!run.is_ok());
    assert!(run.entities().is_empty());
}
