"""The library: finished tracks as plain files, their tags, uploads and exports."""
