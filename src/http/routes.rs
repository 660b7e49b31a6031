//! Every route, one line each: method and path stand at the function.

use actix_web::{Route, dev::HttpServiceFactory, web};
use utoipa_actix_web::{OpenApiFactory, service_config::ServiceConfig};

use super::{
    commit_links, commits, connecting, connection_test, deliveries, doctor, event_stream, events, explain, health,
    host_keys, index_again, index_runs, installations, integrations, issue_summary, issues, metrics, one_commit,
    operation_stream, operations, people, project_rules, projects, pull_requests, repositories, run_stream, search,
    ssh_keys, streams, tokens, unrouted::unrouted, views, web_links, webhooks,
};

/// Where routes are put. Each thread that answers has all of them: described there as well, they took 9 MB a thread.
pub(super) trait Register {
    fn service(&mut self, factory: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self;
    fn route(&mut self, path: &str, route: Route) -> &mut Self;
}

/// To be answered.
impl Register for web::ServiceConfig {
    fn service(&mut self, factory: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self {
        self.service(factory)
    }

    fn route(&mut self, path: &str, route: Route) -> &mut Self {
        self.route(path, route)
    }
}

/// To be described.
impl Register for ServiceConfig<'_> {
    fn service(&mut self, factory: impl HttpServiceFactory + OpenApiFactory + 'static) -> &mut Self {
        self.service(factory)
    }

    fn route(&mut self, path: &str, route: Route) -> &mut Self {
        self.route(path, route)
    }
}

/// Puts them there.
pub(super) fn routes(config: &mut impl Register) {
    config
        // First what comes most: the router tries one route after the other.
        .service(webhooks::receive_github_webhook)
        // Issues
        .service(issues::list_issue_commits)
        .service(issue_summary::get_issue)
        .service(issues::list_issue_branches)
        .service(pull_requests::list_issue_pull_requests)
        .service(commit_links::link_commit)
        .service(commit_links::unlink_commit)
        .service(commit_links::restore_commit_link)
        .service(explain::explain_commit)
        .service(search::search_issues)
        .service(projects::list_projects)
        .service(project_rules::get_project_rules)
        .service(project_rules::set_project_rules)
        // Integrations
        .service(connection_test::test_connection)
        .service(integrations::list_integrations)
        .service(integrations::add_integration)
        .service(integrations::get_integration)
        .service(integrations::rename_integration)
        .service(integrations::change_connection)
        .service(web_links::set_web_links)
        .service(integrations::pause_integration)
        .service(integrations::resume_integration)
        .service(integrations::remove_integration)
        .service(installations::get_installation)
        .service(connecting::connect_github_app)
        .service(installations::adopt_github_app)
        .service(installations::suspend_installation)
        .service(installations::resume_installation)
        .service(installations::rotate_pem_key)
        .service(installations::rotate_webhook_secret)
        .service(installations::repair_installation)
        .service(deliveries::list_deliveries)
        .service(deliveries::get_delivery)
        .service(deliveries::replay_delivery)
        .service(installations::preview_filter)
        .service(installations::confirm_repositories)
        .service(installations::confirm_gone)
        .service(index_again::reindex_integration)
        .service(index_again::reset_integration)
        .service(repositories::list_integration_repositories)
        // Repositories
        .service(repositories::list_repositories)
        .service(repositories::get_repository)
        .service(repositories::fetch_repository)
        .service(repositories::request_index)
        .service(repositories::reset_index)
        .service(one_commit::get_commit)
        .service(one_commit::list_commit_refs)
        .service(commits::list_commit_files)
        .service(commits::get_commit_diff)
        // Index runs
        .service(index_runs::list_index_runs)
        .service(index_runs::get_index_run)
        .service(index_runs::cancel_index)
        .service(run_stream::watch_index_run)
        .service(index_runs::retry_index)
        .service(index_runs::list_index_run_events)
        // Operations
        .service(operations::list_operations)
        .service(operations::get_operation)
        .service(operations::cancel_operation)
        .service(operation_stream::watch_operation)
        // People
        .service(people::list_people)
        .service(people::get_person)
        .service(people::forget_person)
        // The history
        .service(events::list_events)
        .service(event_stream::follow_events)
        .service(streams::list_stream_events)
        // Keys of SSH
        .service(ssh_keys::list_ssh_keys)
        .service(ssh_keys::add_ssh_key)
        .service(ssh_keys::generate_ssh_key)
        // Their other methods are not those of a key of this id.
        .route("/api/v1/ssh-keys/generate", web::to(unrouted))
        .service(ssh_keys::files::register_ssh_key)
        .route("/api/v1/ssh-keys/register", web::to(unrouted))
        .service(ssh_keys::files::list_ssh_key_files)
        .service(ssh_keys::get_ssh_key)
        .service(ssh_keys::get_ssh_key_public)
        .service(ssh_keys::rename_ssh_key)
        .service(ssh_keys::sharing::share_ssh_key)
        .service(ssh_keys::associations::associate_ssh_key)
        .service(ssh_keys::associations::dissociate_ssh_key)
        .service(ssh_keys::rotation::rotate_ssh_key)
        .service(ssh_keys::retire_ssh_key)
        // Host keys of SSH servers
        .service(host_keys::list_host_keys)
        .service(host_keys::trust_host_keys)
        .service(host_keys::scan_host_keys)
        .service(host_keys::import_known_hosts)
        // Their other methods are not those of a server of this id.
        .route("/api/v1/host-keys/scan", web::to(unrouted))
        .route("/api/v1/host-keys/import", web::to(unrouted))
        .service(host_keys::get_host_keys)
        .service(host_keys::accept_host_key_change)
        .service(host_keys::refuse_host_key_change)
        .service(host_keys::forget_host_keys)
        // Access
        .service(tokens::list_tokens)
        .service(tokens::get_token)
        .service(tokens::issue_token)
        .service(tokens::revoke_token)
        // The server itself
        .service(views::list_views)
        .service(views::rebuild_view)
        .service(views::verify_views)
        .service(doctor::get_doctor)
        .service(doctor::get_support)
        .service(health::get_liveness)
        .service(health::get_readiness)
        .service(metrics::get_metrics);
}
