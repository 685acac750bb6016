package seaformer.core

import org.json.JSONArray
import org.json.JSONObject

internal fun JSONObject.textOrNull(key: String) = if (isNull(key)) null else getString(key)

internal fun JSONObject.doubleOrNull(key: String) = if (isNull(key)) null else getDouble(key)

internal fun JSONObject.objectOrNull(key: String) = if (isNull(key)) null else getJSONObject(key)

internal fun JSONObject.arrayOrNull(key: String) = if (isNull(key)) null else getJSONArray(key)

internal fun JSONArray.integers() = (0 until length()).map(::getInt)

internal fun JSONArray.floats() = (0 until length()).map { getDouble(it).toFloat() }

internal fun JSONArray.texts() = (0 until length()).map(::getString)

internal fun JSONArray.objects() = (0 until length()).map(::getJSONObject)
