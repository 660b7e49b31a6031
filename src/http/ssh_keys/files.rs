//! Keys that lie in the folder of the server's account: what this node finds there now, and how one is taken into the pool
//! and stays in its file. Nothing of a private half is answered, sealed or written.

use actix_web::{HttpResponse, get, post, web::Data};
use keytrail_domain::{id::SshKeyId, ssh_key::Command};
use keytrail_projections::ssh_key_list;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{CREATED, facts, kept, name, shown::Shown, uses::Uses};
use crate::{
    http::{
        Api,
        auth::Admin,
        error::{ApiError, Code, sentence},
        idempotency::IdempotencyKey,
        input::Input,
        words,
    },
    ids,
    jobs::DiskTrouble,
    key_folder::{KeyFile, Listing, Unusable, shown as shown_path},
    ssh_keys::{Problem, Remedy},
};

/// What keeps others from a key.
const OPEN_TO_OTHERS: &str = "Others than its owner may read or change this file, and `ssh` itself takes no key from such a \
                              one. Take these rights away, as `chmod 600` does.";

/// A key in a file of the server's account that is to be used from there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SshKeyToRegister)]
pub(in crate::http) struct KeyToRegister {
    /// What people call it: 1 to 100 characters.
    #[schema(example = "deploy")]
    name: String,
    /// Which: as `ssh-keygen -l` writes it, and the list of the files has it.
    #[schema(example = "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8")]
    fingerprint_sha256: String,
    /// Whether it is offered where no key is associated, after a chosen one; it is, when nothing is said.
    #[serde(default)]
    common: Option<bool>,
}

/// What this node finds in its folder with keys.
#[derive(Serialize, ToSchema)]
#[schema(as = SshKeyFiles)]
pub(in crate::http) struct Files {
    /// Which node looked; each has a folder of its own.
    node: String,
    /// The folder; nothing where none is named (`ssh_keys.folder` of the configuration).
    folder: Option<String>,
    /// Files with a private key, and files that the server's user may not read, in the order of their names.
    files: Vec<File>,
    /// Whether there are more files than the 256 that are looked at.
    more: bool,
}

/// A file with a private key.
#[derive(Serialize, ToSchema)]
#[schema(as = SshKeyFile)]
pub(in crate::http) struct File {
    /// Where it is.
    path: String,
    /// Whether the key can be used from there.
    usable: bool,
    /// Why it cannot; nothing when it can.
    problem: Option<FileProblem>,
    /// What is not as it should be though it can be used: the rights of the file.
    warning: Option<&'static str>,
    /// How it is written, where that can be told.
    #[schema(schema_with = words::ssh_key_format)]
    format: Option<&'static str>,
    /// How it is encrypted, if it is.
    encryption: Option<String>,
    /// What it is of, as SSH calls it; nothing where that is encrypted, as what follows.
    #[schema(schema_with = words::ssh_key_algorithm_if_known)]
    algorithm: Option<&'static str>,
    /// How long it is, as `ssh-keygen -l` counts.
    bits: Option<u32>,
    /// What its owner calls it, without e-mail addresses; may be empty.
    comment: Option<String>,
    /// As `ssh-keygen -l` writes it.
    fingerprint_sha256: Option<String>,
    /// As `ssh-keygen -l -E md5` writes it.
    fingerprint_md5: Option<String>,
    /// The key of the pool with this fingerprint, if there is one.
    ssh_key: Option<Uuid>,
}

/// Why a key cannot be used from its file.
#[derive(Serialize, ToSchema)]
#[schema(as = SshKeyFileProblem)]
pub(in crate::http) struct FileProblem {
    /// A code of SSH keys (docs/errors.md), or `file_unreadable`.
    #[schema(example = "ssh_key_passphrase_needed")]
    code: &'static str,
    /// What is wrong.
    detail: String,
    /// What mends it, in words.
    says: &'static str,
    /// Commands for a shell, where `FILE` is the file.
    commands: Vec<String>,
}

/// Private keys that lie in the folder of the server's account, as this node finds them now, registered or not. None is
/// looked for where no folder is named.
#[utoipa::path(tag = "ssh-keys", operation_id = "ListSshKeyFiles", security(("bearer" = ["admin"])),
    responses((status = 200, description = "What is there.", body = Files)))]
#[get("/api/v1/ssh-key-files")]
pub(in crate::http) async fn list_ssh_key_files(_: Admin, api: Data<Api>) -> Result<HttpResponse, ApiError> {
    let on_disk = &api.app.jobs.git.ssh.keys_on_disk;
    let folder = on_disk.folder().map(|folder| shown_path(folder).into());
    let Listing { files, more } = match on_disk.look().await {
        Err(DiskTrouble::Off) => Listing::default(),
        looked => looked.map_err(troubled)?,
    };
    let mut told = Vec::with_capacity(files.len());
    for file in files {
        told.push(File::of(&api, &file).await?);
    }
    let node = api.app.jobs.node().to_owned();
    Ok(HttpResponse::Ok().json(Files { node, folder, files: told, more }))
}

/// Takes a key that lies in the folder of the server's account into the pool. Its private half stays in its file, on each
/// node, and is read there whenever it is used.
#[utoipa::path(tag = "ssh-keys", operation_id = "RegisterSshKey", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    request_body = KeyToRegister,
    responses((status = 201, description = "It is in the pool.", body = Shown)))]
#[post("/api/v1/ssh-keys/register")]
pub(in crate::http) async fn register_ssh_key(
    admin: Admin,
    api: Data<Api>,
    key: IdempotencyKey,
    body: Input<KeyToRegister>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "RegisterSshKey", &body.bytes), None);
    if let Some(committed) = api.remembered(&context).await? {
        let id = SshKeyId(committed.stream.id);
        let uses = Uses::of(&api, id, None).await?;
        return api.changed(committed, CREATED, ssh_key_list::by_id(id), |row| Shown::at(&api.app, row, &uses)).await;
    }
    let name = name(&body.value.name)?;
    let looked = api.app.jobs.git.ssh.keys_on_disk.look().await.map_err(troubled)?;
    let wanted = body.value.fingerprint_sha256.trim();
    let has_it = |file: &KeyFile| file.public.as_ref().is_some_and(|public| public.sha256() == wanted);
    let mut files: Vec<_> = looked.files.into_iter().filter(has_it).collect();
    // Of copies, one that can be used.
    files.sort_by_key(|file| file.problem.is_some());
    let Some(file) = files.into_iter().next() else {
        let detail = "No file in the folder of this node has a key with this fingerprint. `ssh-key files` of the command \
                      line lists those that it has.";
        return Err(ApiError::new(Code::SshKeyFileUnknown, detail));
    };
    let (Some(half), Some(format), None) = (&file.public, file.format, &file.problem) else {
        return Err(unusable(&file));
    };
    let public = facts::public_key(half, file.comment.as_deref().unwrap_or_default());
    let (format, path) = (facts::format(format), shown_path(&file.path));
    let common = body.value.common.unwrap_or(true);
    let command = Command::Register { name: name.clone(), public: public.clone(), format, common, path };
    kept(&api, SshKeyId(ids::new_id()), (&name, &public), command, context, Vec::new()).await
}

impl File {
    async fn of(api: &Api, file: &KeyFile) -> Result<Self, ApiError> {
        let comment = file.comment.as_deref().unwrap_or_default();
        let public = file.public.as_ref().map(|half| facts::public_key(half, comment));
        let pooled = match &public {
            Some(public) => api.read_now(ssh_key_list::by_fingerprint(&public.sha256)).await?.into_iter().next(),
            None => None,
        };
        Ok(Self {
            path: shown_path(&file.path).into(),
            usable: file.problem.is_none(),
            problem: file.problem.as_ref().map(FileProblem::of),
            warning: file.is_open_to_others.then_some(OPEN_TO_OTHERS),
            format: file.format.map(|format| facts::format(format).as_str()),
            encryption: file.encryption.clone(),
            algorithm: public.as_ref().map(|public| public.algorithm.as_str()),
            bits: public.as_ref().map(|public| public.bits),
            comment: public.as_ref().map(|public| public.comment.as_str().to_owned()),
            fingerprint_sha256: public.as_ref().map(|public| public.sha256.clone()),
            fingerprint_md5: public.map(|public| public.md5),
            ssh_key: pooled.map(|row| row.id.0),
        })
    }
}

impl FileProblem {
    fn of(problem: &Unusable) -> Self {
        match problem {
            Unusable::Key(problem @ Problem::PassphraseNeeded) => Self {
                code: problem.code(),
                detail: "The key has a passphrase, and nobody is there to type it.".to_owned(),
                says: "Add it to the server, which opens it once and keeps it sealed:",
                commands: vec!["keytrail ssh-key add FILE --name NAME".to_owned()],
            },
            Unusable::Key(problem) => {
                let Remedy { says, commands } = problem.remedy("FILE");
                Self { code: problem.code(), detail: sentence(&problem.to_string()), says, commands }
            }
            Unusable::File(error) => Self {
                code: "file_unreadable",
                detail: sentence(&format!("the server's user cannot read the file: {error}")),
                says: "Where it is a key that is to be used, make the server's user its owner. Otherwise leave it as it is.",
                commands: Vec::new(),
            },
        }
    }
}

/// A key that was asked for, and cannot be used from its file.
fn unusable(file: &KeyFile) -> ApiError {
    let problem = file.problem.as_ref().map(FileProblem::of);
    let detail = problem.as_ref().map_or("The key cannot be told.".to_owned(), |problem| problem.detail.clone());
    let problem = serde_json::to_value(problem).unwrap_or_default();
    ApiError::new(Code::SshKeyFileUnusable, detail).with("problem", problem)
}

fn troubled(trouble: DiskTrouble) -> ApiError {
    let code = match &trouble {
        DiskTrouble::Off => {
            let detail = "This node looks into no folder with keys. Name one as `folder` in [ssh_keys] of its configuration, \
                          and start it again.";
            return ApiError::new(Code::SshKeyFolderOff, detail);
        }
        DiskTrouble::Busy => return ApiError::new(Code::Busy, sentence(&trouble.to_string())).retry_after(2),
        DiskTrouble::Fault(_) => return ApiError::internal(&trouble),
        DiskTrouble::Folder(_) | DiskTrouble::Silent(_) | DiskTrouble::Key(_) => Code::SshKeyFolderUnreadable,
    };
    ApiError::new(code, sentence(&trouble.to_string()))
}
