//! Empty databases of a cluster that the bench starts.

use keytrail_test_support::postgres::Cluster;

/// A new one.
pub(crate) async fn database(cluster: &Cluster, name: &str) -> String {
    let server = sqlx::PgPool::connect(&cluster.url("postgres")).await.expect("the cluster answers");
    sqlx::query(&format!("CREATE DATABASE {name}")).execute(&server).await.expect("a database can be made");
    server.close().await;
    cluster.url(name)
}
