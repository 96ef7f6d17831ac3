// The record of requests. It outlives the trip to the login page and back, in this tab.

const LIMIT = 50

export const activity = {
  list: () => JSON.parse(sessionStorage.getItem('activity') ?? '[]'),

  /** An entry has a method and a path, and where known status, failed, took (milliseconds) and note. */
  add(entry) {
    const entries = [{ ...entry, at: Date.now() }, ...activity.list()].slice(0, LIMIT)
    sessionStorage.setItem('activity', JSON.stringify(entries))
  },

  clear: () => sessionStorage.removeItem('activity'),
}
