//! The texts: found in directories, uploaded, and dealt out to partitions.

use std::fs;
use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use polycloud::prelude::*;
use polycloud::transfer::TransferOptions;

use crate::Result;
use crate::layout::{Layout, Plan};
use crate::progress::Progress;

/// Files that are uploaded at a time.
const UPLOADS: usize = 16;

/// A file and the name it gets in the store.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    pub(crate) size: u64,
}

/// Finds the files below directories. Leaves out what is hidden, links, and build directories.
pub(crate) fn find(directories: &[PathBuf]) -> Result<Vec<Text>> {
    let mut texts = Vec::new();
    for (n, directory) in directories.iter().enumerate() {
        let base = directory.file_name().unwrap_or_default().to_string_lossy();
        // Two directories may have the same name.
        walk(directory, &format!("{n}-{base}"), &mut texts)
            .map_err(|error| format!("cannot read {}: {error}", directory.display()))?;
    }
    Ok(texts)
}

fn walk(directory: &Path, name: &str, texts: &mut Vec<Text>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (file, file_name) = (entry.path(), entry.file_name());
        let Some(file_name) = file_name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let name = format!("{name}/{file_name}");
        let metadata = entry.metadata()?;
        if metadata.is_dir() && file_name != "target" {
            walk(&file, &name, texts)?;
        } else if metadata.is_file() {
            texts.push(Text { file, name, size: metadata.len() });
        }
    }
    Ok(())
}

/// Uploads the texts.
pub(crate) async fn upload(
    store: &dyn ObjectStore,
    layout: &Layout,
    texts: &[Text],
    progress: &Progress,
) -> Result<()> {
    progress.begin("uploading", texts.len());
    stream::iter(texts)
        .map(|text| async move {
            let key = layout.input(&text.name)?;
            store.upload_file(&text.file, &key, &TransferOptions::default()).await?;
            progress.advance(1);
            Ok(())
        })
        .buffer_unordered(UPLOADS)
        .try_collect()
        .await
}

/// Deals the texts out to partitions of about the same size.
pub(crate) fn plan(layout: &Layout, texts: &[Text], partitions: usize) -> Result<Plan> {
    let mut largest_first: Vec<&Text> = texts.iter().collect();
    largest_first.sort_by_key(|text| std::cmp::Reverse(text.size));
    let mut dealt: Vec<(u64, Vec<Key>)> = Vec::new();
    dealt.resize_with(partitions.clamp(1, texts.len().max(1)), Default::default);
    for text in largest_first {
        let key = layout.input(&text.name)?;
        if let Some((size, keys)) = dealt.iter_mut().min_by_key(|(size, keys)| (*size, keys.len()))
        {
            *size += text.size;
            keys.push(key);
        }
    }
    Ok(Plan { partitions: dealt.into_iter().map(|(_, keys)| keys).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_in_one_partition() {
        let texts: Vec<Text> = (0..100)
            .map(|n| Text { file: PathBuf::new(), name: n.to_string(), size: n * n })
            .collect();
        let plan = plan(&Layout::new("j"), &texts, 7).unwrap();
        assert_eq!(plan.partitions.len(), 7);
        let mut keys: Vec<Key> = plan.partitions.into_iter().flatten().collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 100);
    }

    #[test]
    fn there_are_never_more_partitions_than_texts() {
        let text = Text { file: PathBuf::new(), name: "a".into(), size: 1 };
        assert_eq!(plan(&Layout::new("j"), &[text], 7).unwrap().partitions.len(), 1);
        assert_eq!(plan(&Layout::new("j"), &[], 7).unwrap().partitions.len(), 1);
    }
}
