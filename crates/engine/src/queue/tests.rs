use std::sync::Arc;

use callboard_model::Digest;
use callboard_sdk::Clock as _;
use callboard_sdk::testkit::FakeClock;
use callboard_store::{EntityId, LeaseToken};
use futures::FutureExt as _;
use uuid::Uuid;

use super::*;

fn claim(id: i64, lane: Lane) -> Claim {
    Claim {
        id: EntityId(id),
        entity_ref: Arc::from("component:default/c"),
        uid: Uuid::nil(),
        token: LeaseToken(id),
        lane,
        due_at: FakeClock::default().now(),
        unprocessed: Arc::from("{}"),
        unprocessed_digest: Digest::of("{}"),
        location_key: None,
        cache: None,
        result_digest: None,
        fingerprint: None,
    }
}

fn ids(claims: &[Claim]) -> Vec<i64> {
    claims.iter().map(|claim| claim.id.0).collect()
}

#[tokio::test]
async fn the_lowest_lane_comes_first_and_in_it_the_oldest() {
    let queue = Queue::new(10);
    queue.push(vec![
        claim(1, Lane::Periodic),
        claim(2, Lane::New),
        claim(3, Lane::Interactive),
        claim(4, Lane::Event),
        claim(5, Lane::New),
    ]);
    queue.push(vec![claim(6, Lane::Interactive)]);
    let mut popped = Vec::new();
    for _ in 0..6 {
        popped.push(queue.pop(Serves::All).await.unwrap());
    }
    assert_eq!(ids(&popped), [3, 6, 4, 2, 5, 1]);
}

#[tokio::test]
async fn whoever_finds_nothing_waits_for_the_next_push() {
    let queue = Queue::new(10);
    let mut waiting = Box::pin(queue.pop(Serves::All));
    assert!(waiting.as_mut().now_or_never().is_none());
    queue.push(vec![claim(1, Lane::New)]);
    assert_eq!(waiting.await.unwrap().id, EntityId(1));
}

#[tokio::test]
async fn a_waiter_that_gives_up_takes_nothing_with_it() {
    let queue = Queue::new(10);
    assert!(queue.pop(Serves::All).now_or_never().is_none());
    queue.push(vec![claim(1, Lane::New)]);
    assert_eq!(queue.pop(Serves::All).await.unwrap().id, EntityId(1));
}

#[test]
fn room_is_what_is_left_of_the_capacity_and_never_less_than_none() {
    let queue = Queue::new(2);
    for (room, len) in [(2, 0), (1, 1), (0, 2), (0, 3)] {
        assert_eq!((queue.room(), queue.len()), (room, len));
        queue.push(vec![claim(1, Lane::New)]);
    }
}

#[tokio::test]
async fn half_empty_waits_until_half_of_the_capacity_is_free() {
    let queue = Queue::new(4);
    assert_eq!(queue.half_empty().now_or_never(), Some(()));
    queue.push((0..4).map(|id| claim(id, Lane::New)).collect());
    let mut waiting = Box::pin(queue.half_empty());
    assert_eq!(waiting.as_mut().now_or_never(), None);
    queue.pop(Serves::All).await.unwrap();
    assert_eq!(waiting.as_mut().now_or_never(), None);
    queue.pop(Serves::All).await.unwrap();
    assert_eq!(waiting.now_or_never(), Some(()));
}

#[tokio::test]
async fn closing_gives_back_what_nobody_took_and_lets_nobody_wait() {
    let queue = Queue::new(2);
    let mut taker = Box::pin(queue.pop(Serves::All));
    assert!(taker.as_mut().now_or_never().is_none());
    assert_eq!(ids(&queue.close()), Vec::<i64>::new());
    assert!(taker.await.is_none());

    let queue = Queue::new(2);
    queue.push(vec![claim(1, Lane::Periodic), claim(2, Lane::Event)]);
    let mut pusher = Box::pin(queue.half_empty());
    assert_eq!(pusher.as_mut().now_or_never(), None);
    assert_eq!(ids(&queue.close()), [2, 1]);
    assert_eq!(pusher.now_or_never(), Some(()));
    assert!(queue.pop(Serves::All).await.is_none());
    assert_eq!(queue.len(), 0);
}

#[tokio::test]
async fn those_who_serve_the_interactive_lane_leave_all_others_alone() {
    let queue = Queue::new(10);
    queue.push(vec![claim(1, Lane::Event), claim(2, Lane::Interactive), claim(3, Lane::Interactive)]);
    assert_eq!(queue.pop(Serves::Interactive).await.unwrap().id, EntityId(2));
    assert_eq!(queue.interactive_len(), 1);
    assert_eq!(queue.pop(Serves::All).await.unwrap().id, EntityId(3));
    assert!(queue.pop(Serves::Interactive).now_or_never().is_none());
    assert_eq!(queue.pop(Serves::All).await.unwrap().id, EntityId(1));
    assert!(queue.pop(Serves::All).now_or_never().is_none());
}

#[tokio::test]
async fn what_is_pushed_after_closing_is_given_back_too() {
    let queue = Queue::new(2);
    queue.close();
    queue.push(vec![claim(1, Lane::Interactive)]);
    assert!(queue.pop(Serves::All).await.is_none());
    assert_eq!(ids(&queue.close()), [1]);
}
