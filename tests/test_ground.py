def test_fixture(planted):
    assert planted.n_playlists == 240 and planted.n_tracks == 120
