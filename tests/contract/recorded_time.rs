//! `recorded_at` goes forward only, whatever the clock does.

use std::sync::{Arc, atomic::Ordering};

use futures::future::join_all;
use keytrail::{
    clock::Clock,
    log::Lane,
    store::{Area, Db},
};
use keytrail_domain::timestamp::Timestamp;
use keytrail_projections::value::Cells;

use crate::{
    engines::rows,
    samples::{append, new_stream, open_with, plain},
};

on_both_engines!(recorded_at_goes_forward_while_the_clock_jumps_ten_years);

async fn recorded_at_goes_forward_while_the_clock_jumps_ten_years(db: Arc<Db>) {
    const TEN_YEARS: i64 = 315_576_000_000_000;
    let start = Timestamp::from_seconds(1_700_000_000);
    let clock = Clock::fixed(start);
    let log = open_with(&db, clock.clone(), Arc::default()).await;
    let Clock::Fixed(hands) = clock else { unreachable!("it was made so") };
    append(&log, plain(new_stream(), 0)).await;
    for jump in [TEN_YEARS, -2 * TEN_YEARS, TEN_YEARS + 1_000_000, 0, -1] {
        hands.fetch_add(jump, Ordering::SeqCst);
        for outcome in join_all((0..7).map(|_| log.appender().append(Lane::Interactive, plain(new_stream(), 0)))).await
        {
            outcome.expect("it is appended");
        }
    }
    let times: Vec<i64> = rows(&db, Area::Log, "SELECT recorded_at FROM events ORDER BY global_position")
        .await
        .iter()
        .map(|row| Cells::of(row).int().expect("a time"))
        .collect();
    assert_eq!(times.len(), 36);
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert_eq!(times[0], start.0);
    assert_eq!(times[1], start.0 + TEN_YEARS);
    assert!(times[35] < start.0 + TEN_YEARS + 1_000, "it does not run ahead by more than it must");
    assert_eq!(log.stored_head().await.expect("a head").recorded_at.0, times[35]);
}
