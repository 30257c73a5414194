"""Tables, columns and types of a dataset, and of the batches that become one.

A dataset is one folder:

`playlists.parquet`
    One row a playlist, dense id = row.
`entries.parquet`
    One row a track in a playlist, sorted by playlist and position.
`tracks.parquet`
    One row a track, dense id = row, by falling number of playlists: the head is a slice.
`artists.parquet`
    One row an artist, dense id = row, by falling number of playlist entries.
`arrays/*.npy`
    What models read at once, memory-mapped: `indptr` and `track` (the entries as compressed
    rows), `artist` and `song` of each track, `uri_order` (ids sorted by uri).
`manifest.json`
    Name, source, licence, counts, cleaning report, fingerprint.

Missing is null, never 0.
"""

import pyarrow as pa

VERSION = 1

AUDIO_FEATURES = (
    "danceability",
    "energy",
    "key",
    "loudness",
    "mode",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
    "tempo",
)
"""Spotify's audio features. Unit interval except key (-1 none, 0 C … 11 B), loudness (dB),
mode (0 minor, 1 major) and tempo (beats a minute)."""

_AUDIO = [(name, pa.float32()) for name in AUDIO_FEATURES]

TRACK_FIELDS = pa.schema(
    [
        ("uri", pa.string()),
        ("title", pa.string()),
        ("artist", pa.string()),
        ("artist_uri", pa.string()),
        ("album", pa.string()),
        ("duration_ms", pa.int64()),
        ("year", pa.int32()),
        ("popularity", pa.float32()),
        ("genre", pa.string()),
        ("explicit", pa.bool_()),
        *_AUDIO,
    ]
)
"""What a source may know of a track. Identity: the uri, else title and artist together.

`explicit`: whether the words are marked as explicit. Folders written before the column was added
lack it; `Dataset.column` answers nulls.
"""

BATCH_PLAYLISTS = pa.schema(
    [
        ("source_id", pa.string()),
        ("title", pa.string()),
        ("followers", pa.int64()),
        ("modified", pa.int64()),
    ]
)
"""A batch's playlists; `modified` in seconds since 1970."""

BATCH_ENTRIES = pa.schema([("playlist", pa.int32()), ("position", pa.int32()), *TRACK_FIELDS])
"""A batch's entries; `playlist` is a row of the batch's playlists."""

_SQL = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "int32": "INTEGER",
    "float": "FLOAT",
    "bool": "BOOLEAN",
}
TRACK_SQL_TYPES = {field.name: _SQL[str(field.type)] for field in TRACK_FIELDS}
"""DuckDB's type of each track field."""
